"""Stripe's events: see at Stripe what each is about, then keep and tell what that means."""

from collections.abc import Sequence
from typing import Any, Final

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from workers.gateways.stripe_objects import Intent
from workers.payments import aftermath, decisions, signals, store, store_captures
from workers.payments.aftermath import Aftermath
from workers.payments.decisions import Captured, Failed, Ignored, Verdict
from workers.payments.resources import Payments
from workers.runtime.worker import Transaction


async def look(message: Envelope[StripeEventReceived], payments: Payments) -> Verdict | Aftermath:
    """See at Stripe what an event is about, and what it means for a gift of ours."""
    event = message.body
    handling = decisions.HANDLING.get(event.event_type)
    if handling is None:
        return None
    return await _LOOKS[handling](message, payments)


async def look_at_payment(message: Envelope[StripeEventReceived], payments: Payments) -> Verdict:
    """What a payment intent or charge means for a gift of ours."""
    event, organization = message.body, message.organization
    attempt = await payments.attempt_of_object((organization, event.object))
    if attempt is not None and attempt.state == "captured":
        return None
    intent = await payments.stripe.fetch_intent(event.account, event.object)
    if attempt is not None or not isinstance(intent, Intent) or not decisions.is_ours(intent):
        return decisions.judge(message, intent, attempt)
    named = await store.attempt_of_donation(payments.pool, organization, str(intent.donation))
    return decisions.judge(message, intent, named)


_LOOKS: Final = {
    "payment": look_at_payment,
    "refund": aftermath.look_at_refund,
    "refunds": aftermath.look_at_charge,
    "dispute": aftermath.look_at_dispute,
}


async def record_events(
    verdicts: Sequence[tuple[Envelope[StripeEventReceived], Verdict | Aftermath]],
    transaction: Transaction,
) -> None:
    """Move the attempts on, tell what is new, keep what was ignored."""
    connection = transaction.connection
    ignored = [(message, v) for message, v in verdicts if isinstance(v, Ignored)]
    captures = [(message, v) for message, v in verdicts if isinstance(v, Captured)]
    failures = [(message, v) for message, v in verdicts if isinstance(v, Failed)]
    aftermaths = [(message, v) for message, v in verdicts if isinstance(v, Aftermath)]
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
    await aftermath.record(aftermaths, transaction)


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
