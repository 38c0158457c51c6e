"""Ask the ledger to record payouts that reached an organization's bank."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from workers.gateways.database import Pool, open_pool
from workers.gateways.stripe_gateway import StripeGateway, open_stripe
from workers.payouts import decisions, store
from workers.payouts.decisions import Ignored, Paid, Verdict
from workers.runtime.worker import Act, Transaction, Worker


@dataclass(frozen=True, slots=True)
class Payouts:
    """Open for the life of the process."""

    stripe: StripeGateway
    pool: Pool


async def look(message: Envelope[StripeEventReceived], payouts: Payouts) -> Verdict:
    """See at Stripe what a payout's event is about."""
    event = message.body
    handling = decisions.HANDLING.get(event.event_type)
    if handling is None:
        return None
    owner = await store.owner_of(payouts.pool, message.organization)
    if owner is None or owner.stripe_account != event.account:
        return Ignored("foreign")
    if handling == "failed":
        return Ignored("not_booked")
    payout = await payouts.stripe.fetch_payout(event.account, event.object)
    return decisions.judge(message, payout, owner)


async def record(
    verdicts: Sequence[tuple[Envelope[StripeEventReceived], Verdict]], transaction: Transaction
) -> None:
    """Pass on what is new, keep what was ignored."""
    paid = [(message, v) for message, v in verdicts if isinstance(v, Paid)]
    ignored = [(message, v) for message, v in verdicts if isinstance(v, Ignored)]
    await store.ignore(transaction.connection, ignored)
    news = await store.note_paid(transaction.connection, paid)
    for message, verdict in paid:
        if verdict.payout.id in news:
            news.remove(verdict.payout.id)
            tell_paid(message, verdict, transaction)


def tell_paid(message: Envelope[StripeEventReceived], paid: Paid, transaction: Transaction) -> None:
    """Request the entry."""
    transaction.send(
        registry.ENTRIES_REQUESTED,
        paid.entry,
        cause=message,
        id=decisions.paid_id(message.body.account, paid.payout),
        time=paid.payout.created,
    )


@asynccontextmanager
async def open_payouts(settings: Mapping[str, str]) -> AsyncIterator[Payouts]:
    """Open what the settings name."""
    async with open_pool(settings) as pool, open_stripe(settings) as gateway:
        yield Payouts(gateway, pool)


WORKER = Worker(
    name="payouts",
    routes=[Act(registry.STRIPE_EVENTS, look, record)],
    gather_s=0.25,  # Nobody waits for it: fewer, larger batches.
    resources=open_payouts,
)
