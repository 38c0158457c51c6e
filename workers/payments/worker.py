"""Collect promised gifts by direct charges on an organization's account; tell what came of it."""

from collections.abc import Sequence
from typing import Any

from contracts.donations import DonationRequested
from contracts.message import Envelope
from contracts.payments import PaymentActionRequired, PaymentProcessing
from contracts.stripe_events import StripeEventReceived
from topics import registry
from topics.failpoints import reach
from workers.gateways.stripe_objects import Declined, Intent
from workers.payments import decisions, signals, store, store_captures
from workers.payments.decisions import AccessChanged, Captured, Failed, Ignored, Progress, Verdict
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


async def look(message: Envelope[StripeEventReceived], payments: Payments) -> Verdict:
    """See at Stripe what an event is about, and what it means for a gift of ours."""
    event, organization = message.body, message.organization
    handling = decisions.HANDLING.get(event.event_type)
    if handling is None:
        return None
    if handling == "access":
        return AccessChanged(event.event_type == "account.application.authorized")
    attempt = await payments.attempt_of_object((organization, event.object))
    if attempt is not None and attempt.state == "captured":
        return None
    intent = await payments.stripe.fetch_intent(event.account, event.object)
    if attempt is not None or not isinstance(intent, Intent) or not decisions.is_ours(intent):
        return decisions.judge(message, intent, attempt)
    named = await store.attempt_of_donation(payments.pool, organization, str(intent.donation))
    return decisions.judge(message, intent, named)


async def record_events(
    verdicts: Sequence[tuple[Envelope[StripeEventReceived], Verdict]], transaction: Transaction
) -> None:
    """Move the attempts on, tell what is new, keep what was ignored."""
    connection = transaction.connection
    access = [(message, v) for message, v in verdicts if isinstance(v, AccessChanged)]
    ignored = [(message, v) for message, v in verdicts if isinstance(v, Ignored)]
    captures = [(message, v) for message, v in verdicts if isinstance(v, Captured)]
    failures = [(message, v) for message, v in verdicts if isinstance(v, Failed)]
    await store.change_access(connection, access)
    await store.ignore(connection, ignored)
    signals.tell_ignored(ignored)
    paid = await store_captures.capture(connection, captures)
    for message, captured in captures:
        if captured.payment_intent in paid:
            paid.remove(captured.payment_intent)
            tell_captured(message, captured, transaction)
    moves: list[store.Move] = [
        (message.organization, failed.request.donation, "failed", failed.failure.payment_intent)
        for message, failed in failures
    ]
    moved = await store.advance(connection, moves)
    for message, failed in failures:
        if failed.request.donation in moved:
            moved.remove(failed.request.donation)
            tell_failed(message, failed, transaction)


def tell_captured(
    message: Envelope[StripeEventReceived], captured: Captured, transaction: Transaction
) -> None:
    """Say that the money is there."""
    account, charged = message.body.account, captured.charge
    transaction.send(
        registry.PAYMENTS_CAPTURED,
        decisions.captured_fact(account, captured),
        cause=message,
        id=decisions.captured_id(account, charged),
        time=charged.created,
    )


def tell_failed(message: Envelope[Any], failed: Failed, transaction: Transaction) -> None:
    """Say that the attempt ended without money."""
    fact = decisions.failed_fact(failed)
    failed_id = decisions.failed_id(failed.request.donation)
    transaction.send(registry.PAYMENTS_FAILED, fact, cause=message, id=failed_id)


WORKER = Worker(
    name="payments",
    routes=[
        Act(registry.DONATIONS_REQUESTED, charge, record_charges),
        Act(registry.STRIPE_EVENTS, look, record_events),
    ],
    resources=open_payments,
)
