"""Entries with the openings of their money, and the sums that are built behind the writer.

Rules: the cursor and the sums change in one transaction, and the cursor is compared first, so that
two who build at once count nothing twice.
"""

from collections.abc import Sequence
from typing import Final

from ledger.projection import Reader, StoredEntry, Sums
from ledger.store import transactions
from ledger.store.connection import AnyConnection
from ledger.store.transactions import Posted

CURSOR: Final = "SELECT index FROM ledger.projected WHERE log = $1"
MOVE: Final = "UPDATE ledger.projected SET index = $3 WHERE log = $1 AND index = $2"
SIZE: Final = "SELECT size FROM ledger.writers WHERE log = $1"
ENTRIES: Final = """
    SELECT index, organization, seq, id, kind, bytes, leaf_hash, donor_seal, recorded_at
    FROM ledger.entries WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index
"""
MONEY: Final = """
    SELECT entry_id, plain FROM ledger.openings
    WHERE entry_id = ANY($1::text[]) AND organization = ANY($2::text[]) AND section = 'money'
"""
ADD_DAILY: Final = """
    INSERT INTO {schema}.daily_sums AS sums
        (fund, account, currency, visibility, day, organization, amount)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::text[],
        $7::numeric[])
    ON CONFLICT (fund, account, currency, visibility, day, organization)
    DO UPDATE SET amount = sums.amount + excluded.amount
"""
ADD_MONTHLY: Final = """
    INSERT INTO {schema}.monthly_figures AS figures
        (fund, month, currency, visibility, organization, entries, gifts, income, expenses)
    SELECT * FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[],
        $7::bigint[], $8::numeric[], $9::numeric[])
    ON CONFLICT (fund, month, currency, visibility, organization)
    DO UPDATE SET entries = figures.entries + excluded.entries,
        gifts = figures.gifts + excluded.gifts, income = figures.income + excluded.income,
        expenses = figures.expenses + excluded.expenses
"""


class OvertakenError(RuntimeError):
    """Somebody else summed up the same entries. Read the cursor again."""


async def cursor(connection: AnyConnection, log: int) -> int:
    """The index of the first entry that is not in the sums."""
    index: int = await connection.fetchval(CURSOR, log)
    return index


async def size(connection: AnyConnection, log: int) -> int:
    """How many entries the log has."""
    number: int = await connection.fetchval(SIZE, log)
    return number


async def posted(
    connection: AnyConnection, log: int, start: int, end: int, reader: Reader
) -> list[Posted]:
    """Entries [start, end), as far as they are recorded, with their money.

    Raises UnreadableEntryError.
    """
    entries = [StoredEntry(*row) for row in await connection.fetch(ENTRIES, log, start, end)]
    return await with_money(connection, entries, reader)


async def with_money(
    connection: AnyConnection, entries: Sequence[StoredEntry], reader: Reader
) -> list[Posted]:
    """Entries with their money, read from their openings where it is sealed."""
    # Only a public_full entry shows its money; looking for what is not there costs little.
    sealed = [entry for entry in entries if b'"money":{"sealed":' in entry.data]
    openings: dict[str, bytes] = {}
    if sealed:
        ids = [entry.id for entry in sealed]
        organizations = list({entry.organization for entry in sealed})
        openings = dict(await connection.fetch(MONEY, ids, organizations))
    return [(entry, *reader.read(entry, openings.get(entry.id))) for entry in entries]


async def add(connection: AnyConnection, sums: Sums, schema: str = "ledger") -> None:
    """Add sums to the stored ones, of the ledger or of side tables in `schema`."""
    if not sums.daily_minor:
        return
    daily = [list(column) for column in zip(*sums.daily_minor, strict=True)]
    await connection.execute(
        ADD_DAILY.format(schema=schema), *daily, list(sums.daily_minor.values())
    )
    monthly = [list(column) for column in zip(*sums.monthly, strict=True)]
    figures = list(sums.monthly.values())
    await connection.execute(
        ADD_MONTHLY.format(schema=schema),
        *monthly,
        [one.entries for one in figures],
        [one.gifts for one in figures],
        [one.income_minor for one in figures],
        [one.expenses_minor for one in figures],
    )


async def advance(
    connection: AnyConnection, log: int, start: int, entries_max: int, reader: Reader
) -> int:
    """Sum up the entries from `start` on, at most so many; the index after them.

    Raises OvertakenError, UnreadableEntryError.
    """
    found = await posted(connection, log, start, start + entries_max, reader)
    if not found:
        return start
    sums = Sums()
    for one in found:
        sums.add(*one)
    made = await transactions.read(connection, found)
    end = start + len(found)
    async with connection.transaction():
        if await connection.execute(MOVE, log, start, end) != "UPDATE 1":
            raise OvertakenError(f"the sums of log {log} do not end at {start} any more")
        await add(connection, sums)
        await transactions.add(connection, made)
    return end
