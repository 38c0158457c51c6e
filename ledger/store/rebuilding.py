"""Everything derived, made again from entries and openings into side tables, compared, switched.

Rules: the side tables are the session's own; nothing of the ledger changes before the switch, which
is one transaction that first takes the pen, so that no append falls between and a running writer
loads everything anew. Sums reach as far as their cursor, the rest as far as the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.projection import Books, Reader, Sums
from ledger.store import projections, transactions
from ledger.store.connection import AnyConnection
from ledger.store.pen import NoSuchLogError
from ledger.store.transactions import Posted

CHUNK_ENTRIES: Final = 5_000
SHOWN_MAX: Final = 20

MAKE: Final = "CREATE TEMP TABLE {table} (LIKE ledger.{table} INCLUDING INDEXES)"
TAKE_PEN: Final = """
    UPDATE ledger.writers SET epoch = epoch + 1, owner = 'rebuild' WHERE log = $1
"""
HOLD_CURSOR: Final = "SELECT FROM ledger.projected WHERE log = $1 FOR UPDATE"
CORRECT_CURSOR: Final = "UPDATE ledger.projected SET index = $2 WHERE log = $1 AND index > $2"
PUT_CHAINS: Final = """
    INSERT INTO pg_temp.chains (organization, log, seq, head)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[])
    ON CONFLICT (organization) DO UPDATE SET seq = excluded.seq, head = excluded.head
"""
PUT_FUNDS: Final = """
    INSERT INTO pg_temp.funds AS fund (id, organization, currency)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (id) DO UPDATE SET currency = coalesce(fund.currency, excluded.currency)
"""
ADD_BALANCES: Final = """
    INSERT INTO pg_temp.balances AS balance (organization, fund, account, currency, amount)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[])
    ON CONFLICT (organization, fund, account, currency)
    DO UPDATE SET amount = balance.amount + excluded.amount
"""
DIFFER: Final = """
    SELECT concat_ws(' ', {keys}) AS key, stored.row::text AS stored, made.row::text AS made,
        count(*) OVER () AS number
    FROM (SELECT {keys}, ROW({values}) AS row FROM ledger.{table}) AS stored
    FULL JOIN (SELECT {keys}, ROW({values}) AS row FROM pg_temp.{table}) AS made USING ({keys})
    WHERE stored.row IS DISTINCT FROM made.row
    ORDER BY 1 LIMIT {limit}
"""
REMOVE: Final = """
    DELETE FROM ledger.{table} AS stored
    WHERE NOT EXISTS (SELECT FROM pg_temp.{table} AS made WHERE ({made_keys}) = ({stored_keys}))
"""
SWITCH: Final = """
    INSERT INTO ledger.{table} ({keys}, {values})
    SELECT {keys}, {values} FROM pg_temp.{table} EXCEPT SELECT {keys}, {values} FROM ledger.{table}
    ON CONFLICT ({keys}) DO UPDATE SET ({values}) = ROW({new_values})
"""

#: Table -> its key and what it says.
TABLES: Final = {
    "chains": (("organization",), ("log", "seq", "head")),
    "funds": (("id",), ("organization", "currency")),
    "balances": (("organization", "fund", "account", "currency"), ("amount",)),
    "daily_sums": (
        ("fund", "account", "currency", "visibility", "day", "organization"),
        ("amount",),
    ),
    "monthly_figures": (
        ("fund", "month", "currency", "visibility", "organization"),
        ("entries", "gifts", "income", "expenses"),
    ),
    "transactions": (
        ("entry_id", "fund", "type", "organization"),
        (
            *("id", "index", "kind", "currency", "amount", "recorded_at", "occurred", "ref"),
            *("campaign", "project", "booking"),
        ),
    ),
}


class Difference(NamedTuple):
    """A row that is not what the entries give; a side that is None has no such row."""

    table: str
    key: str
    stored: str | None
    made: str | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many entries were read, and the rows that differ: SHOWN_MAX of a table, all counted."""

    entries: int
    shown: list[Difference]
    differences: int


async def rebuild(connection: AnyConnection, log: int, *, apply: bool) -> Rebuilt:
    """Make all projections again, compare, and with `apply` replace what differs.

    Raises UnreadableEntryError: then the entries or openings are at fault, and nothing is switched.
    """
    for table in TABLES:
        await connection.execute(MAKE.format(table=table))
    making = _Making(connection, log)
    async with connection.transaction(isolation="repeatable_read"):
        await making.catch_up()
        found = await making.compare()
    if apply and found.differences:
        async with connection.transaction():
            if await connection.execute(TAKE_PEN, log) != "UPDATE 1":
                raise NoSuchLogError(f"log {log} does not exist in this database")
            await connection.execute(HOLD_CURSOR, log)
            await making.catch_up()
            found = await making.compare()
            await making.switch()
    return found


class _Making:
    """The side tables: `entries` of the log are in them, `summed` in those of the sums."""

    def __init__(self, connection: AnyConnection, log: int) -> None:
        self._connection = connection
        self._number = log
        self._reader = Reader()
        self._entries = 0
        self._summed = 0

    async def catch_up(self) -> None:
        """Read the entries that are not in the side tables yet."""
        size = await projections.size(self._connection, self._number)
        cursor = min(size, await projections.cursor(self._connection, self._number))
        await self._sum_up(min(self._entries, cursor))
        while self._entries < size:
            end = min(size, self._entries + CHUNK_ENTRIES)
            found = await projections.posted(
                *(self._connection, self._number, self._entries, end, self._reader)
            )
            books = Books()
            for entry, _, postings in found:
                books.add(self._number, entry, postings)
            await self._put(books)
            await self._add_sums([one for one in found if one[0].at < cursor])
            self._entries = end
        self._summed = cursor

    async def _sum_up(self, end: int) -> None:
        """Entries that were read before the cursor had come to them."""
        for start in range(self._summed, end, CHUNK_ENTRIES):
            last = min(end, start + CHUNK_ENTRIES)
            found = await projections.posted(
                *(self._connection, self._number, start, last, self._reader)
            )
            await self._add_sums(found)

    async def _add_sums(self, posted: Sequence[Posted]) -> None:
        sums = Sums()
        for one in posted:
            sums.add(*one)
        await projections.add(self._connection, sums, "pg_temp")
        made = await transactions.read(self._connection, posted)
        await transactions.add(self._connection, made, "pg_temp")

    async def _put(self, books: Books) -> None:
        chains, funds, balances = books.chains, books.funds, books.balances_minor
        heads = [list(column) for column in zip(*chains.values(), strict=True)]
        if heads:
            await self._connection.execute(PUT_CHAINS, list(chains), *heads)
        if funds:
            columns = [list(column) for column in zip(*funds.values(), strict=True)]
            await self._connection.execute(PUT_FUNDS, list(funds), *columns)
        if balances:
            keys = [list(column) for column in zip(*balances, strict=True)]
            await self._connection.execute(ADD_BALANCES, *keys, list(balances.values()))

    async def compare(self) -> Rebuilt:
        """The rows that differ."""
        shown: list[Difference] = []
        number = 0
        for table, (keys, values) in TABLES.items():
            sql = DIFFER.format(
                table=table, keys=", ".join(keys), values=", ".join(values), limit=SHOWN_MAX
            )
            rows = await self._connection.fetch(sql)
            shown += [Difference(table, row["key"], row["stored"], row["made"]) for row in rows]
            number += rows[0]["number"] if rows else 0
        return Rebuilt(self._entries, shown, number)

    async def switch(self) -> None:
        """Let the ledger's tables say what the side tables say."""
        for table, (keys, values) in TABLES.items():
            made_keys = ", ".join(f"made.{key}" for key in keys)
            stored_keys = ", ".join(f"stored.{key}" for key in keys)
            await self._connection.execute(
                REMOVE.format(table=table, made_keys=made_keys, stored_keys=stored_keys)
            )
            await self._connection.execute(
                SWITCH.format(
                    table=table,
                    keys=", ".join(keys),
                    values=", ".join(values),
                    new_values=", ".join(f"excluded.{value}" for value in values),
                )
            )
        await self._connection.execute(CORRECT_CURSOR, self._number, self._entries)
