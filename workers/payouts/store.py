"""Payouts in PostgreSQL: whose account it is, which movements were passed on, what was ignored."""

from collections.abc import Sequence
from typing import Final

from contracts.identifiers import type_id
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.gateways.database import Pool
from workers.payouts.decisions import Ignored, Owner, Paid, paid_id

OWNER: Final = """
    SELECT stripe_account, visibility, public_after_days FROM read.organizations WHERE id = $1
"""
FUNDS: Final = """
    SELECT currency, id FROM read.funds WHERE organization = $1 AND is_default
"""
MOVE: Final = """
    INSERT INTO payouts.movements (organization, account, balance_transaction, category, source,
        fund, currency, amount_minor, fee_minor, net_minor, entry, occurred_at)
    VALUES ($1, $2, $3, 'payout', $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (balance_transaction, fund, organization) DO NOTHING
    RETURNING source
"""
IGNORE: Final = """
    INSERT INTO payouts.ignored_events (event, event_type, organization, account, object, reason)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (event) DO NOTHING
"""


async def owner_of(pool: Pool, organization: str) -> Owner | None:
    """The organization, with its default funds."""
    row = await pool.fetchrow(OWNER, organization)
    if row is None:
        return None
    funds = {fund["currency"]: fund["id"] for fund in await pool.fetch(FUNDS, organization)}
    return Owner(**row, funds=funds)


async def note_paid(
    connection: AnyConnection, paid: Sequence[tuple[Envelope[StripeEventReceived], Paid]]
) -> set[str]:
    """Note payouts as passed on to the ledger; the ids that were news."""
    news = set()
    for message, verdict in paid:
        payout, account = verdict.payout, message.body.account
        transaction, entry = payout.balance_transaction, verdict.entry
        assert entry.postings is not None
        if await connection.fetchval(
            MOVE,
            message.organization,
            account,
            transaction.id,
            payout.id,
            entry.postings[0].fund,
            transaction.currency,
            transaction.amount_minor,
            transaction.fee_minor + transaction.platform_fee_minor,
            transaction.net_minor,
            type_id("ent", paid_id(account, payout)),
            payout.created,
        ):
            news.add(payout.id)
    return news


async def ignore(
    connection: AnyConnection, ignored: Sequence[tuple[Envelope[StripeEventReceived], Ignored]]
) -> None:
    """Keep which events moved nothing, and why."""
    for message, verdict in ignored:
        event = message.body
        await connection.execute(
            IGNORE,
            event.event,
            event.event_type,
            message.organization,
            event.account,
            event.object,
            verdict.reason,
        )
