"""Refunds that were asked for here: made at Stripe once, or refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.message import Envelope
from contracts.refunds import RefundRequested
from topics.failpoints import reach
from workers.gateways.stripe_charges import PaidCharge, fetch_charge
from workers.gateways.stripe_objects import AccessRevoked, Missing, Unresolved
from workers.gateways.stripe_refunds import Refund, RefundDenied, create_refund, list_refunds
from workers.payments import aftermath, decisions_refunds, store_refunds
from workers.payments.aftermath import Aftermath
from workers.payments.bookings import Origin
from workers.payments.decisions_refunds import Asked
from workers.payments.resources import Payments
from workers.runtime.worker import Refused, Transaction, Transient


async def request(
    message: Envelope[RefundRequested], payments: Payments
) -> Aftermath | RefundDenied | None:
    """Make the refund once, however often this is called; None when its outcome is known already.

    A call that may have been made before is looked up first: Stripe forgets idempotency keys.
    """
    asked = await store_refunds.ask(payments.pool, message)
    if asked is None:
        raise Refused("unknown_gift", "there is no payment of this gift")
    if asked.known.status != "requested":
        return None
    seen_at = payments.now()
    if asked.called_at is not None:
        found = await _find(asked, payments)
        if found is not None:
            return _outcome(message, asked, found, seen_at)
    denied = decisions_refunds.denied(asked)
    if denied is not None:
        return denied
    if asked.called_at is None:
        prepared = await _prepare(asked, payments)
        if isinstance(prepared, RefundDenied):
            return prepared
        asked = prepared
    answer = await _call(message, asked, payments)
    reach("payments.refunded")
    if isinstance(answer, Unresolved):
        found = await _find(asked, payments)
        if found is None:
            await store_refunds.take_next_key(payments.pool, asked.known, asked.attempt)
            raise Transient("nothing came of the call that Stripe failed at: it is made anew")
        answer = found
    return _outcome(message, asked, answer, seen_at)


async def _find(asked: Asked, payments: Payments) -> Refund | RefundDenied | None:
    """The refund that an earlier call made, by its metadata."""
    assert asked.account is not None and asked.known.charge is not None
    listed = await list_refunds(payments.stripe, asked.account, asked.known.charge)
    if isinstance(listed, Missing | AccessRevoked):
        return RefundDenied("account_unavailable")
    return next((each for each in listed if each.refund == asked.known.id), None)


async def _prepare(asked: Asked, payments: Payments) -> Asked | RefundDenied:
    """Decide the amount by Stripe's figure of the charge, and keep what the call will say."""
    assert asked.account is not None and asked.known.charge is not None
    charge = await fetch_charge(payments.stripe, asked.account, asked.known.charge)
    if not isinstance(charge, PaidCharge):
        return RefundDenied("account_unavailable")
    amount_minor = decisions_refunds.amount_to_refund(asked, charge)
    if isinstance(amount_minor, RefundDenied):
        return amount_minor
    returns_fee, now = charge.has_platform_fee, payments.now()
    await store_refunds.note_call(
        payments.pool, asked.known, now, amount_minor, returns_platform_fee=returns_fee
    )
    return replace(
        asked,
        known=replace(asked.known, amount_minor=amount_minor),
        called_at=now,
        returns_platform_fee=returns_fee,
    )


async def _call(
    message: Envelope[RefundRequested], asked: Asked, payments: Payments
) -> Refund | RefundDenied | Unresolved:
    known = asked.known
    assert asked.account is not None and known.charge is not None
    assert known.amount_minor is not None
    return await create_refund(
        payments.stripe,
        asked.account,
        charge=known.charge,
        refund=known.id,
        donation=known.donation,
        organization=message.organization,
        amount_minor=known.amount_minor,
        currency=known.currency,
        reason=message.body.reason,
        returns_platform_fee=asked.returns_platform_fee,
        attempt=asked.attempt,
    )


def _outcome(
    message: Envelope[RefundRequested],
    asked: Asked,
    answer: Refund | RefundDenied,
    seen_at: datetime,
) -> Aftermath | RefundDenied:
    if isinstance(answer, RefundDenied):
        return answer
    if answer.charge is None or asked.account is None:
        raise Refused("unexpected_refund", "Stripe's refund names no charge")
    origin = Origin(message.organization, asked.account, asked.gift, answer.charge)
    return Aftermath(origin, seen_at, (answer,))


async def record(
    outcomes: Sequence[tuple[Envelope[RefundRequested], Aftermath | RefundDenied | None]],
    transaction: Transaction,
) -> None:
    """Book and tell refunds that Stripe made, tell those that cannot be."""
    made = [(message, each) for message, each in outcomes if isinstance(each, Aftermath)]
    await aftermath.record(made, transaction)
    for message, each in outcomes:
        if not isinstance(each, RefundDenied):
            continue
        refund, organization = message.body.refund, message.organization
        known = await store_refunds.lock_asked(transaction.connection, organization, refund)
        news = decisions_refunds.refuse(known, each) if known is not None else None
        if news is not None:
            await aftermath.tell_refund(message, news, transaction)
