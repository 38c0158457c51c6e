"""An organization's chain and figures, through the read views."""

from datetime import date
from typing import Final

from asyncpg import Record

from amply_verify.kinds import KINDS
from ledger.statement import Figure
from topics.outbox import AnyConnection

WITH_MONEY: Final = [name for name, kind in KINDS.items() if "money" in kind.required]

FIGURES: Final = """
    SELECT month, fund, currency, visibility, entries, gifts, income::text, expenses::text
    FROM read.monthly_figures WHERE organization = $1
"""
SETTLED: Final = "SELECT month FROM read.stated_months WHERE log = $1"
#: A visibility is the last field of an entry; kinds without money always show what they say.
COUNTS: Final = """
    SELECT substring(encode(substr(bytes, length(bytes) - 19), 'escape') FROM '"([a-z_]+)"}$')
            AS visibility, count(*) AS entries
    FROM read.entries
    WHERE organization = $1 AND seq >= $2 AND seq < $3 AND kind = ANY($4::text[])
    GROUP BY visibility
"""
WIDENED: Final = """
    SELECT visibility, count(*) AS entries FROM read.visibility_changes
    WHERE organization = $1 GROUP BY visibility
"""
#: `seq` has no gaps, so the last one tells the count.
LAST_ENTRY: Final = """
    SELECT seq, index FROM read.entries WHERE organization = $1 ORDER BY seq DESC LIMIT 1
"""


async def figures(connection: AnyConnection, organization: str) -> list[tuple[date, Figure]]:
    """Figures of the organization by fund, currency and visibility, each with its month."""
    return [
        (
            month,
            Figure(fund, currency, visibility, entries, gifts, int(income), int(expenses)),
        )
        for month, fund, currency, visibility, entries, gifts, income, expenses in (
            await connection.fetch(FIGURES, organization)
        )
    ]


async def settled(connection: AnyConnection, log: int) -> date | None:
    """The first month that is not over, or whose figures may be incomplete."""
    month: date | None = await connection.fetchval(SETTLED, log)
    return month


async def count_by_visibility(
    connection: AnyConnection, organization: str, start: int, end: int
) -> dict[str, int]:
    """How many of the entries with `seq` in [start, end) that have money have which visibility."""
    rows = await connection.fetch(COUNTS, organization, start, end, WITH_MONEY)
    return {row["visibility"]: row["entries"] for row in rows}


async def count_widened(connection: AnyConnection, organization: str) -> dict[str, int]:
    """How many entries were given which visibility by their newest change."""
    rows = await connection.fetch(WIDENED, organization)
    return {row["visibility"]: row["entries"] for row in rows}


async def last_entry(connection: AnyConnection, organization: str) -> Record | None:
    """`seq` and `index` of the last entry."""
    return await connection.fetchrow(LAST_ENTRY, organization)
