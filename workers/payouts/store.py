"""Payouts in PostgreSQL: whose account it is, which movements were passed on, what was ignored."""

from collections.abc import Sequence
from typing import Final

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.gateways.database import Pool
from workers.payouts.decisions import Ignored, Owner, Paid

OWNER: Final = """
    SELECT stripe_account, visibility, public_after_days FROM read.organizations WHERE id = $1
"""
FUNDS: Final = """
    SELECT currency, id FROM read.funds WHERE organization = $1 AND is_default
"""
MOVE: Final = """
    INSERT INTO payouts.movements (organization, payout, status, balance_transaction)
    VALUES ($1, $2, 'paid', $3)
    ON CONFLICT (organization, payout, status) DO NOTHING
    RETURNING payout
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
        payout = verdict.payout
        transaction = payout.balance_transaction.id
        if await connection.fetchval(MOVE, message.organization, payout.id, transaction):
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
