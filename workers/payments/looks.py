"""Looks that somebody asked for: each does what Stripe's events about the object would do."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.looks import PaymentLookRequested
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from workers.gateways.stripe_gateway import API_VERSION
from workers.payments import aftermath, events
from workers.payments.aftermath import Aftermath
from workers.payments.decisions import Captured, Verdict
from workers.payments.resources import Payments
from workers.runtime.worker import Refused, Transaction

Found = list[Verdict | Aftermath]


async def look(message: Envelope[PaymentLookRequested], payments: Payments) -> Found:
    """See at Stripe what an object is now, and what that means for a gift of ours.

    Refused when payments has nothing to do with such objects.
    """
    event = as_event(message)
    payments = replace(payments, stripe=payments.stripe.patient())
    match message.body.object.split("_")[0]:
        case "pi":
            return [await events.look_at_payment(event, payments)]
        case "ch" | "py":
            payment = await events.look_at_payment(event, payments)
            captured = payment if isinstance(payment, Captured) else None
            return [payment, await aftermath.look_at_charge(event, payments, captured)]
        case "re" | "pyr":
            return [await aftermath.look_at_refund(event, payments)]
        case "dp" | "du":
            return [await aftermath.look_at_dispute(event, payments)]
        case _:
            raise Refused("not_of_payments", "payments does not know objects of this kind")


async def record(
    found: Sequence[tuple[Envelope[PaymentLookRequested], Found]], transaction: Transaction
) -> None:
    """Record what was found as if events had led there."""
    verdicts = [(as_event(message), each) for message, looks in found for each in looks]
    await events.record_events(verdicts, transaction)


def as_event(message: Envelope[PaymentLookRequested]) -> Envelope[StripeEventReceived]:
    """The look as the event that never came; what it ignores is kept once for each object."""
    return Envelope(
        id=message.id,
        type=message.type,
        time=message.time,
        organization=message.organization,
        cause=message.cause,
        body=StripeEventReceived(
            event=f"look_{message.body.object}"[:255],
            event_type="look",
            account=message.body.account,
            object=message.body.object,
            created=message.time,
            livemode=False,
            api_version=API_VERSION,
        ),
    )
