"""An organization's chain, balances and openings, through the read views."""

from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

#: Income is negative in the ledger (credit) and shown positive. Funds whose gifts are sealed are
#: left out: from the difference of two totals anyone could read a sealed amount.
TOTALS: Final = """
    SELECT currency,
        coalesce(-sum(amount) FILTER (WHERE account LIKE 'Income:%'), 0)::text AS income_minor,
        coalesce(sum(amount) FILTER (WHERE account LIKE 'Expenses:%'), 0)::text AS expenses_minor,
        coalesce(sum(amount) FILTER (WHERE account LIKE 'Assets:%'), 0)::text AS assets_minor
    FROM read.balances WHERE organization = $1 AND fund IN (
        SELECT fund.id FROM edge.funds AS fund
        JOIN edge.organizations AS owner ON owner.id = fund.organization
        WHERE owner.id = $1
            AND coalesce(fund.visibility, owner.visibility) IN ('public_full', 'public_aggregated'))
    GROUP BY currency ORDER BY currency
"""
#: `seq` has no gaps, so the last one tells the count.
LAST_ENTRY: Final = """
    SELECT seq, index FROM read.entries WHERE organization = $1 ORDER BY seq DESC LIMIT 1
"""
LAST_ENTRY_BELOW: Final = """
    SELECT seq, index FROM read.entries
    WHERE organization = $1 AND index < $2 ORDER BY seq DESC LIMIT 1
"""


async def totals(connection: AnyConnection, organization: str) -> list[Record]:
    """Sums per currency, in minor units, as decimal strings."""
    return await connection.fetch(TOTALS, organization)


async def last_entry(
    connection: AnyConnection, organization: str, size: int | None = None
) -> Record | None:
    """`seq` and `index` of the last entry, or of the last one in a tree of `size`."""
    if size is None:
        return await connection.fetchrow(LAST_ENTRY, organization)
    return await connection.fetchrow(LAST_ENTRY_BELOW, organization, size)
