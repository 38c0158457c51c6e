"""What reconciliation found of an organization, through its read views."""

from datetime import date
from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

NEWEST_DAY: Final = "SELECT max(day) FROM read.reconciliation_days WHERE organization = $1"
OPENING: Final = """
    SELECT account, currency, sum(stripe_net_minor)::bigint AS stripe,
        sum(ledger_net_minor)::bigint AS ledger
    FROM read.reconciliation_days WHERE organization = $1 AND day < $2 GROUP BY account, currency
"""
DAYS: Final = """
    SELECT account, currency, day, category, stripe_count, stripe_amount_minor, stripe_fee_minor,
        stripe_net_minor, ledger_count, ledger_amount_minor, ledger_fee_minor, ledger_net_minor
    FROM read.reconciliation_days WHERE organization = $1 AND day BETWEEN $2 AND $3
    ORDER BY account, currency, day, category
"""
#: The newest run of each account beside its sums; one that was never reached has none.
ACCOUNTS: Final = """
    SELECT r.account, r.outcome, r.finished_at, s.currency, s.balance_minor, s.ledger_minor,
        s.in_transit_minor, s.foreign_minor, s.different_minor
    FROM (
        SELECT DISTINCT ON (account) account, outcome, finished_at FROM read.reconciliation_runs
        WHERE organization = $1 ORDER BY account, finished_at DESC
    ) AS r LEFT JOIN read.reconciliation_sums AS s ON s.account = r.account AND s.organization = $1
    ORDER BY r.account, s.currency
"""
COUNTS: Final = """
    SELECT class, count(*) AS open FROM read.reconciliation_differences
    WHERE organization = $1 AND healed_at IS NULL GROUP BY class ORDER BY class
"""
DIFFERENCES: Final = """
    SELECT * FROM read.reconciliation_differences WHERE organization = $1 AND healed_at IS NULL
    ORDER BY class IN ('in_transit', 'foreign'), occurred_at DESC NULLS FIRST, subject LIMIT $2
"""


async def newest_day(connection: AnyConnection, organization: str) -> date | None:
    """The newest day on which something moved."""
    found: date | None = await connection.fetchval(NEWEST_DAY, organization)
    return found


async def openings(connection: AnyConnection, organization: str, first: date) -> list[Record]:
    """What both sides came to before the first day, by account and currency."""
    return await connection.fetch(OPENING, organization, first)


async def days(
    connection: AnyConnection, organization: str, first: date, last: date
) -> list[Record]:
    """Both sides by account, currency, day and category, in this order."""
    return await connection.fetch(DAYS, organization, first, last)


async def accounts(connection: AnyConnection, organization: str) -> list[Record]:
    """Accounts with their newest run and sums, a row a currency."""
    return await connection.fetch(ACCOUNTS, organization)


async def counts(connection: AnyConnection, organization: str) -> dict[str, int]:
    """How many differences are open, by class."""
    rows = await connection.fetch(COUNTS, organization)
    return {row["class"]: row["open"] for row in rows}


async def differences(connection: AnyConnection, organization: str, most: int) -> list[Record]:
    """Open differences, faults first, then the newest."""
    return await connection.fetch(DIFFERENCES, organization, most)
