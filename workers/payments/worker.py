"""Collect promised gifts by direct charges, give them back when asked; tell what came of it."""

from collections.abc import Sequence

from contracts.donations import DonationRequested
from contracts.message import Envelope
from contracts.payments import PaymentActionRequired, PaymentProcessing
from topics import registry
from topics.failpoints import reach
from workers.gateways.stripe_objects import Declined
from workers.payments import decisions, looks, refunds, store
from workers.payments.decisions import Failed, Progress
from workers.payments.events import look, record_events, tell_failed
from workers.payments.resources import Payments, open_payments
from workers.runtime.worker import Act, Transaction, Transient, Worker


async def charge(message: Envelope[DonationRequested], payments: Payments) -> Progress | None:
    """Create and confirm the payment; None when its outcome is known already."""
    opened = await payments.open_attempt(message)
    if opened is None:
        raise Transient("another process is about to charge this gift")
    if opened.state != "calling":
        return None
    seal = payments.sealer(message.body.donation)
    if opened.account is None or not opened.usable:
        return decisions.progress(Declined("account_unavailable"), seal)
    answer = await payments.charge(opened.account, opened.attempt, message)
    reach("payments.answered")
    return decisions.progress(answer, seal)


async def record_charges(
    answers: Sequence[tuple[Envelope[DonationRequested], Progress | None]],
    transaction: Transaction,
) -> None:
    """Move the attempts on and tell what is new."""
    news = [(message, progress) for message, progress in answers if progress is not None]
    moves: list[store.Move] = [
        (message.organization, message.body.donation, progress.state, progress.payment_intent)
        for message, progress in news
    ]
    moved = await store.advance(transaction.connection, moves)
    news = [(message, progress) for message, progress in news if message.body.donation in moved]
    await store.keep_secrets(transaction.connection, news)
    for message, progress in news:
        tell_progress(message, progress, transaction)


def tell_progress(
    message: Envelope[DonationRequested], progress: Progress, transaction: Transaction
) -> None:
    """Say how far an attempt came."""
    donation, intent = message.body.donation, progress.payment_intent
    if progress.failure is not None:
        tell_failed(message, Failed(message.body, progress.failure), transaction)
    elif intent is not None and progress.state == "requires_action":
        action = PaymentActionRequired(donation=donation, payment_intent=intent)
        transaction.send(registry.PAYMENTS_ACTION_REQUIRED, action, cause=message)
    elif intent is not None:
        processing = PaymentProcessing(donation=donation, payment_intent=intent)
        transaction.send(registry.PAYMENTS_PROCESSING, processing, cause=message)


WORKER = Worker(
    name="payments",
    routes=[
        Act(registry.DONATIONS_REQUESTED, charge, record_charges),
        Act(registry.STRIPE_EVENTS, look, record_events),
        Act(registry.PAYMENTS_LOOK_REQUESTED, looks.look, looks.record),
        Act(registry.REFUNDS_REQUESTED, refunds.request, refunds.record),
    ],
    resources=open_payments,
)
