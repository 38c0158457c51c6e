"""Ask the ledger to record payouts, split over funds, and fees of whole accounts."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from contracts.looks import PayoutLookRequested
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from workers.gateways.business_clock import BusinessClock
from workers.gateways.database import open_pool
from workers.gateways.stripe_gateway import open_stripe
from workers.payouts import decisions, looking, recording, rounds
from workers.payouts.looking import Ignored, Payouts, SeenFee, SeenPayout, Verdict
from workers.payouts.store import booking
from workers.runtime.worker import Act, Transaction, Worker

Message = Envelope[StripeEventReceived] | Envelope[PayoutLookRequested]


async def look_after_event(message: Envelope[StripeEventReceived], payouts: Payouts) -> Verdict:
    """See at Stripe what an event is about."""
    event = message.body
    if event.event_type not in decisions.HANDLED:
        return None
    return await looking.look_at(payouts, message.organization, event.account, event.object)


async def look(message: Envelope[PayoutLookRequested], payouts: Payouts) -> Verdict:
    """See at Stripe what somebody asks to be looked at."""
    asked = message.body
    payouts = replace(payouts, stripe=payouts.stripe.patient())
    return await looking.look_at(payouts, message.organization, asked.account, asked.object)


async def record_events(
    verdicts: Sequence[tuple[Envelope[StripeEventReceived], Verdict]], transaction: Transaction
) -> None:
    """Book what is new, keep what was ignored."""
    ignored = [(message, v.reason) for message, v in verdicts if isinstance(v, Ignored)]
    await booking.ignore(transaction.connection, ignored)
    await record(verdicts, transaction)


async def record(verdicts: Sequence[tuple[Message, Verdict]], transaction: Transaction) -> None:
    """Book what is new."""
    accounts = [message.body.account for message, _ in verdicts]
    await booking.lock(transaction.connection, accounts)
    for message, verdict in verdicts:
        account = message.body.account
        if isinstance(verdict, SeenPayout):
            await recording.record_payout(message, account, verdict, transaction)
        elif isinstance(verdict, SeenFee):
            await recording.record_fee(message, account, verdict, transaction)


@asynccontextmanager
async def open_payouts(settings: Mapping[str, str]) -> AsyncIterator[Payouts]:
    """Open what the settings name."""
    async with open_pool(settings) as pool, open_stripe(settings, "payouts") as gateway:
        yield Payouts(gateway, pool, BusinessClock(settings))


@asynccontextmanager
async def open_with_rounds(settings: Mapping[str, str]) -> AsyncIterator[Payouts]:
    """Open the same, and make the rounds that no message starts, for the life of the process."""
    async with open_payouts(settings) as payouts:
        making = asyncio.create_task(rounds.make(payouts))
        try:
            yield payouts
        finally:
            making.cancel()
            with suppress(asyncio.CancelledError):
                await making


WORKER = Worker(
    name="payouts",
    routes=[
        Act(registry.STRIPE_EVENTS, look_after_event, record_events),
        Act(registry.PAYOUTS_LOOK_REQUESTED, look, record),
    ],
    gather_s=0.25,  # Nobody waits for it: fewer, larger batches.
    fetch_wait_s=0.25,
    resources=open_with_rounds,
)
