"""Stripe's events: see at Stripe what each is about, then keep and tell what that means."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from workers.gateways.stripe_objects import Intent
from workers.payments import aftermath, decisions, signals, store, store_captures, store_turns
from workers.payments.aftermath import Aftermath
from workers.payments.decisions import Captured, Closed, Failed, Ignored, Underway, Verdict
from workers.payments.resources import Payments
from workers.payments.telling import Step, move_on, tell_captured
from workers.runtime.worker import Transaction, Transient


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
    await payments.cards.note(intent)
    if attempt is None and isinstance(intent, Intent) and decisions.is_ours(intent):
        found = await store.attempt_of_donation(payments.pool, organization, str(intent.donation))
        verdict = decisions.judge(message, intent, found)
    else:
        verdict = decisions.judge(message, intent, attempt)
    if isinstance(verdict, Captured) and not verdict.fits:
        return await _elsewhere(organization, verdict, payments)
    return verdict


async def _elsewhere(organization: str, captured: Captured, payments: Payments) -> Captured:
    """The capture with the organization's own fund for the currency that Stripe settled in."""
    currency = captured.balance_transaction.currency
    fund = await store_turns.default_fund(payments.pool, organization, currency)
    if fund is None:
        raise Transient(f"the organization has no fund that holds {currency}")
    return replace(captured, fund=fund)


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
    aftermaths = [(message, v) for message, v in verdicts if isinstance(v, Aftermath)]
    await store.ignore(connection, ignored)
    signals.tell_ignored(ignored)
    paid = await store_captures.capture(connection, captures)
    for message, captured in captures:
        if captured.payment_intent in paid:
            paid.remove(captured.payment_intent)
            tell_captured(message, captured, transaction)
    steps = [
        Step(message, verdict.request, decisions.observed(verdict), observed=True)
        for message, verdict in verdicts
        if isinstance(verdict, Underway | Failed | Closed)
    ]
    await move_on(steps, transaction)
    await aftermath.record(aftermaths, transaction)
