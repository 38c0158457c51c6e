"""Movements in PostgreSQL: which balance transactions of payments were passed on to the ledger."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final

from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant

# In the order of the key, so that two batches with the same movements wait for one another.
BOOK: Final = """
    INSERT INTO payments.movements (organization, account, balance_transaction, category, source,
        donation, fund, currency, amount_minor, fee_minor, net_minor, entry, occurred_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[],
        $13::timestamptz[])
    ON CONFLICT (balance_transaction, fund, organization) DO NOTHING
    RETURNING balance_transaction
"""
BOOKED: Final = """
    SELECT balance_transaction FROM payments.movements
    WHERE organization = $1 AND balance_transaction = ANY ($2)
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """A fund's share of a balance transaction, and the entry that is requested for it.

    Amounts are signed as Stripe signs them, in minor units of the settlement currency:
    `net_minor` = `amount_minor` − `fee_minor`, where the fee is all fees, the platform's included.
    `category` is Stripe's `reporting_category`, `source` the charge, refund or dispute.
    """

    organization: str
    account: str
    balance_transaction: str
    category: str
    source: str
    donation: str | None
    fund: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    entry: str
    occurred_at: datetime


async def book(connection: AnyConnection, movements: Sequence[Movement]) -> set[str]:
    """Note movements in the transaction that requests their entries.

    Returns the balance transactions that were news: for these alone an entry is requested.
    """
    if not movements:
        return set()
    ordered = sorted(movements, key=lambda one: (one.balance_transaction, one.fund))
    columns = [list(column) for column in zip(*map(astuple, ordered), strict=True)]
    return {row["balance_transaction"] for row in await connection.fetch(BOOK, *columns)}


async def booked(pool: Pool, organization: str, balance_transactions: Sequence[str]) -> set[str]:
    """Which of these balance transactions have their entry requested already."""
    async with tenant(pool, organization) as connection:
        rows = await connection.fetch(BOOKED, organization, list(balance_transactions))
    return {row["balance_transaction"] for row in rows}
