"""What others know, through the views of schema `read`: accounts, movements, entries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from topics.outbox import AnyConnection
from workers.reconciliation.decisions import Booked

ACCOUNTS: Final = """
    SELECT a.organization, o.slug, a.account
    FROM read.accounts AS a JOIN read.organizations AS o ON o.id = a.organization
    WHERE $1::text IS NULL OR a.organization = $1
    ORDER BY a.organization, a.account
"""
# Looked up by id, movement by movement: an entry that is recorded has its posting of
# `Assets:Stripe` for the fund, or moved nothing there.
BOOKED: Final = """
    SELECT m.balance_transaction AS id, min(m.currency) AS currency,
        sum(m.amount_minor)::bigint AS amount_minor, sum(m.fee_minor)::bigint AS fee_minor,
        sum(m.net_minor)::bigint AS net_minor,
        CASE WHEN bool_and(e.recorded IS NOT NULL) THEN sum(e.recorded)::bigint END
            AS recorded_minor,
        bool_and(e.recorded IS NOT DISTINCT FROM m.net_minor)
            AND count(DISTINCT m.currency) = 1 AS entries_agree,
        min(m.category) AS category, min(m.source) AS source, min(m.entry) AS entry,
        min(m.occurred_at) AS occurred_at
    FROM read.movements AS m LEFT JOIN LATERAL (
        SELECT coalesce((
            SELECT sum(p.amount) FROM read.stripe_postings AS p
            WHERE p.entry = m.entry AND p.organization = m.organization
                AND p.fund = m.fund AND p.currency = m.currency
        ), 0) AS recorded
        FROM read.entries AS e WHERE e.id = m.entry OFFSET 0
    ) AS e ON true
    WHERE m.account = $1 AND m.balance_transaction = ANY ($2)
    GROUP BY m.balance_transaction
"""
#: Payouts books what of a payout is its organization's, and keeps which part is not.
FOREIGN_PARTS: Final = """
    SELECT balance_transaction AS id, net_minor FROM read.foreign_movements
    WHERE account = $1 AND balance_transaction = ANY ($2)
"""
BOOKED_IDS: Final = """
    SELECT DISTINCT balance_transaction AS id FROM read.movements
    WHERE account = $1 AND ($2::timestamptz IS NULL OR occurred_at >= $2)
        AND balance_transaction > $3
    ORDER BY balance_transaction LIMIT $4
"""
#: One statement, therefore one snapshot: an entry is in both sums or in neither.
LEDGER_TOTALS: Final = """
    SELECT currency, sum(ledger)::bigint AS ledger, sum(moved)::bigint AS moved FROM (
        SELECT currency, amount AS ledger, 0 AS moved FROM read.balances
        WHERE organization = $1 AND account = 'Assets:Stripe'
        UNION ALL
        SELECT m.currency, 0, m.net_minor
        FROM read.movements AS m JOIN read.entries AS e ON e.id = m.entry
        WHERE m.organization = $1
    ) AS sides GROUP BY currency ORDER BY currency
"""
#: A refund that was requested and has no object yet is payments' own to repeat.
STUCK: Final = """
    SELECT organization, account, donation, object, kind, since FROM (
        SELECT organization, account, donation, payment_intent AS object,
            'payment_' || state AS kind, created_at AS since
        FROM read.open_attempts
        UNION ALL
        SELECT organization, account, NULL, coalesce(stripe_refund, id), 'refund_' || status,
            created_at
        FROM read.open_refunds
        UNION ALL
        SELECT organization, account, NULL, stripe_dispute, 'dispute_' || status, created_at
        FROM read.open_disputes
        UNION ALL
        SELECT organization, account, NULL, id, 'payout_' || status, late_since
        FROM read.late_payouts
    ) AS open
    WHERE since < clock_timestamp() - $1::interval AND account IS NOT NULL
    ORDER BY since LIMIT $2
"""
SCOPE: Final = "SELECT set_config('app.organizations', $1, true)"
IDS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Account:
    """A connected account and whose it is."""

    organization: str
    slug: str
    account: str


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """`Assets:Stripe` over all funds, and what recorded movements come to: minor units."""

    currency: str
    ledger_minor: int
    moved_minor: int


async def accounts(connection: AnyConnection, organization: str | None = None) -> list[Account]:
    """Every connected account there is or was, or those of one organization."""
    return [Account(**row) for row in await connection.fetch(ACCOUNTS, organization)]


async def see(connection: AnyConnection, organizations: Collection[str]) -> None:
    """Let the transaction see these organizations' rows."""
    await connection.execute(SCOPE, ",".join(sorted(organizations)))


async def booked(connection: AnyConnection, account: str, ids: Sequence[str]) -> dict[str, Booked]:
    """Those of the balance transactions that were booked, by id."""
    rows = await connection.fetch(BOOKED, account, list(ids))
    return {row["id"]: Booked(**row) for row in rows}


async def foreign_parts(
    connection: AnyConnection, account: str, ids: Sequence[str]
) -> dict[str, int]:
    """What of these movements was found to be of others: net, by id."""
    rows = await connection.fetch(FOREIGN_PARTS, account, list(ids))
    return {row["id"]: row["net_minor"] for row in rows}


async def booked_ids(
    connection: AnyConnection, account: str, since: datetime | None, after: str
) -> list[str]:
    """Ids of booked movements that sort after `after`, fewer than `IDS_AT_ONCE` at the end."""
    rows = await connection.fetch(BOOKED_IDS, account, since, after, IDS_AT_ONCE)
    return [row["id"] for row in rows]


async def ledger_totals(connection: AnyConnection, organization: str) -> list[LedgerTotal]:
    """What the ledger holds at Stripe, and what movements say of it, by currency."""
    return [
        LedgerTotal(row["currency"], row["ledger"], row["moved"])
        for row in await connection.fetch(LEDGER_TOTALS, organization)
    ]


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something on its way. The intent (`object`) of a gift's payment may be unknown."""

    organization: str
    account: str
    donation: str | None
    object: str | None
    kind: str
    since: datetime


async def stuck(connection: AnyConnection, older_than: timedelta, most: int) -> list[Stuck]:
    """What has been on its way for longer than that, the oldest first."""
    return [Stuck(**row) for row in await connection.fetch(STUCK, older_than, most)]
