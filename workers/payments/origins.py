"""Whose gift a charge paid: the first question about any refund or dispute."""

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from workers.gateways.stripe_charges import PaidCharge
from workers.payments import decisions, store
from workers.payments.bookings import Origin
from workers.payments.decisions import Attempt, Captured, Elsewhere, Ignored
from workers.payments.resources import Payments
from workers.runtime.worker import Transient


async def origin_of(
    message: Envelope[StripeEventReceived],
    payments: Payments,
    charge: PaidCharge | None,
    captured: Captured | None = None,
) -> Origin | Ignored:
    """The gift behind a charge on the account that the message names, or why it is none of ours.

    Transient while the gift, or its payment, is not here yet; `captured` shows it just now.
    """
    if charge is None or charge.payment_intent is None:
        return Ignored("foreign")
    if captured is not None:
        gift = captured.request.model_copy(update={"fund": captured.fund})
        return Origin(message.organization, message.body.account, gift, charge)
    organization = message.organization
    attempt: Attempt | Elsewhere | None = await payments.attempt_of_object(
        (organization, charge.payment_intent)
    )
    if attempt is None and decisions.names_gift(charge.donation):
        named = str(charge.donation)
        attempt = await store.attempt_of_donation(payments.pool, organization, named)
    return judge(message, charge, attempt)


def judge(
    message: Envelope[StripeEventReceived],
    charge: PaidCharge,
    attempt: Attempt | Elsewhere | None,
) -> Origin | Ignored:
    """What the attempt that holds the charge, or that its metadata names, makes of it."""
    if attempt is None and not decisions.names_gift(charge.donation):
        return Ignored("foreign")
    if isinstance(attempt, Elsewhere) or charge.organization not in {None, message.organization}:
        return Ignored("account_mismatch")
    if attempt is None:
        raise Transient("the gift that this payment names is not here yet")
    if attempt.account != message.body.account:
        return Ignored("account_mismatch")
    if attempt.payment_intent != charge.payment_intent:
        if attempt.state != "captured":
            raise Transient("the payment of this gift is not here yet")
        return Ignored("foreign")  # Another payment for the same gift, which was not booked.
    is_booked = attempt.state == "captured"
    return Origin(message.organization, message.body.account, attempt.request, charge, is_booked)
