"""What the ledger's own entries are computed from: heads and times, and figures by month."""

from datetime import date, datetime
from itertools import groupby
from typing import Final

from amply_verify.tree import Frontier
from ledger.census import member_leaf
from ledger.statement import Figure, month_after, month_of, start_of
from ledger.store.connection import AnyConnection

LAST_CENSUS: Final = """
    SELECT coalesce(
        (SELECT recorded_at FROM ledger.entries WHERE log = $1 AND kind = 'census'
         ORDER BY index DESC LIMIT 1),
        (SELECT recorded_at FROM ledger.entries WHERE log = $1 AND index = 0))
"""
HEADS: Final = """
    SELECT organization, seq, head FROM ledger.chains WHERE log = $1 ORDER BY organization
"""
HEADS_PREFETCH: Final = 5_000
STATED: Final = "SELECT month, last FROM ledger.stated WHERE log = $1"
FIRST_TIME: Final = "SELECT recorded_at FROM ledger.entries WHERE log = $1 AND index = 0"
STATE: Final = """
    INSERT INTO ledger.stated (log, month, last) VALUES ($1, $2, $3)
    ON CONFLICT (log) DO UPDATE SET month = excluded.month, last = excluded.last
"""
# Times never go back in a log, so the first entry that is not summed up tells of all after it.
IS_SUMMED_UP: Final = """
    SELECT NOT EXISTS (
        SELECT FROM ledger.entries AS entry JOIN ledger.projected USING (log, index)
        WHERE entry.log = $1 AND entry.recorded_at < $2)
"""
FIGURES: Final = """
    WITH next AS (
        SELECT DISTINCT figure.organization FROM ledger.monthly_figures AS figure
        JOIN ledger.chains AS chain USING (organization)
        WHERE chain.log = $1 AND figure.month = $2 AND figure.organization > $3
        ORDER BY figure.organization LIMIT $4)
    SELECT organization, fund, currency, visibility, entries, gifts, income::text, expenses::text
    FROM ledger.monthly_figures JOIN next USING (organization)
    WHERE month = $2 ORDER BY organization
"""


async def last_census(connection: AnyConnection, log: int) -> datetime | None:
    """When the last census was recorded, else the first entry; None while the log is empty."""
    moment: datetime | None = await connection.fetchval(LAST_CENSUS, log)
    return moment


async def members(connection: AnyConnection, log: int) -> tuple[int, bytes]:
    """How many chains a log has, and the root over them: the census as the log stands now.

    True only while nothing is appended: for whoever holds the pen.
    """
    tree = Frontier()
    async with connection.transaction():
        async for organization, seq, head in connection.cursor(HEADS, log, prefetch=HEADS_PREFETCH):
            tree.append(member_leaf(organization, seq, head))
    return tree.size, tree.root()


async def stated(connection: AnyConnection, log: int) -> tuple[date, str] | None:
    """The month whose statements come next, and after which organization; None without entries."""
    row = await connection.fetchrow(STATED, log)
    if row is not None:
        return row["month"], row["last"]
    first: datetime | None = await connection.fetchval(FIRST_TIME, log)
    return None if first is None else (month_of(first), "")


async def is_summed_up(connection: AnyConnection, log: int, month: date) -> bool:
    """Whether the figures hold every entry of a month that is over."""
    summed: bool = await connection.fetchval(IS_SUMMED_UP, log, start_of(month_after(month)))
    return summed


async def figures(
    connection: AnyConnection, log: int, month: date, after: str, organizations_max: int
) -> dict[str, list[Figure]]:
    """The figures of the next organizations that have some in a month, in their order."""
    rows = await connection.fetch(FIGURES, log, month, after, organizations_max)
    return {
        organization: [
            Figure(fund, currency, visibility, entries, gifts, int(income), int(expenses))
            for _, fund, currency, visibility, entries, gifts, income, expenses in of_one
        ]
        for organization, of_one in groupby(rows, key=lambda row: str(row["organization"]))
    }


async def state(connection: AnyConnection, log: int, month: date, after: str | None) -> None:
    """The statements of a month are recorded or withheld, up to an organization or (None) all.

    Repeating what a crash left out is harmless: a recorded statement finds itself recorded.
    """
    if after is None:
        await connection.execute(STATE, log, month_after(month), "")
    else:
        await connection.execute(STATE, log, month, after)
