"""What an organization's accounts held: now, after any of its entries, at any time.

Rules: whole days come from the sums by day, as far as these reach; the rest is added up from the
entries themselves, so an answer never waits for the sums. A caller's transaction, which should be a
snapshot (REPEATABLE READ), holds the parts together.
"""

from collections import defaultdict
from datetime import UTC, datetime, time
from typing import Final

from amply_verify.money import Line
from ledger.projection import Reader, StoredEntry
from ledger.store.connection import AnyConnection
from ledger.store.projections import with_money

HEAD: Final = "SELECT seq FROM ledger.chains WHERE organization = $1"
TIME_OF: Final = "SELECT recorded_at FROM ledger.entries WHERE organization = $1 AND seq = $2"
FIRST_MISSING: Final = """
    SELECT entry.recorded_at FROM ledger.chains AS chain
    JOIN ledger.projected AS projected USING (log)
    JOIN ledger.entries AS entry ON entry.log = projected.log AND entry.index = projected.index
    WHERE chain.organization = $1
"""
DAYS_BEFORE: Final = """
    SELECT fund, account, currency, sum(amount)::text FROM ledger.daily_sums
    WHERE organization = $1 AND day < $2
        AND fund IN (SELECT fund FROM ledger.balances WHERE organization = $1)
    GROUP BY fund, account, currency
"""
ENTRIES: Final = """
    SELECT index, organization, seq, id, kind, bytes, leaf_hash, donor_seal, recorded_at
    FROM ledger.entries WHERE organization = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq
"""
CHUNK_ENTRIES: Final = 5_000

Balances = dict[Line, int]
"""Minor units by fund, account and currency, debit positive, in this order."""


class NoSuchEntryError(ValueError):
    """The organization has no such entry, or had none yet."""


async def last_seq(connection: AnyConnection, organization: str, at: datetime | None = None) -> int:
    """The `seq` of the last entry, or of the last one recorded at a time or before.

    Raises NoSuchEntryError.
    """
    head: int | None = await connection.fetchval(HEAD, organization)
    if head is None:
        raise NoSuchEntryError("the organization has no entry in the ledger")
    if at is None:
        return head
    first_after = await _first_seq(connection, organization, head, at, includes=False)
    if first_after == 0:
        raise NoSuchEntryError("the organization had no entry in the ledger at that time")
    return first_after - 1


async def balances_at(
    connection: AnyConnection, organization: str, seq: int
) -> tuple[datetime, Balances]:
    """When the entry `seq` was recorded, and the balances after it; raises NoSuchEntryError."""
    moment: datetime | None = await connection.fetchval(TIME_OF, organization, seq)
    if moment is None:
        raise NoSuchEntryError(f"the organization has no entry {seq}")
    missing: datetime | None = await connection.fetchval(FIRST_MISSING, organization)
    day = min(moment, missing or moment).astimezone(UTC).date()
    sums: defaultdict[Line, int] = defaultdict(int)
    for fund, account, currency, amount in await connection.fetch(DAYS_BEFORE, organization, day):
        sums[Line(fund, account, currency)] = int(amount)
    start = datetime.combine(day, time(), UTC)
    first = await _first_seq(connection, organization, seq, start, includes=True)
    reader = Reader()
    for low in range(first, seq + 1, CHUNK_ENTRIES):
        high = min(seq, low + CHUNK_ENTRIES - 1)
        rows = [
            StoredEntry(*row) for row in await connection.fetch(ENTRIES, organization, low, high)
        ]
        for _, _, postings in await with_money(connection, rows, reader):
            for line, amount_minor in postings:
                sums[line] += amount_minor
    return moment, dict(sorted(sums.items()))


async def _first_seq(
    connection: AnyConnection, organization: str, head: int, moment: datetime, *, includes: bool
) -> int:
    """The first `seq` recorded after a time (or at it: `includes`); head + 1 if there is none.

    Times never go back along a chain, so halving finds it in as many look-ups as head has digits.
    """
    low, high = 0, head + 1
    while low < high:
        middle = (low + high) // 2
        recorded_at = await connection.fetchval(TIME_OF, organization, middle)
        if recorded_at > moment or (includes and recorded_at == moment):
            high = middle
        else:
            low = middle + 1
    return low
