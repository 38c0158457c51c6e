"""Refunds: money that goes back to a donor, by the charge that it came from."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Body, CallerId, Code, DonationId, EntryId, RefundId, StripeId
from contracts.money import AmountMinor

#: Stripe's three (API, "Create a refund").
RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]

#: Stripe's words, and `refused`: there never was a refund at Stripe.
RefundStatus = Literal["pending", "requires_action", "succeeded", "failed", "canceled", "refused"]


class RefundRequested(Body):
    """Give money back to the donor: `amount_minor` in the gift's currency, None: all that is left.

    Payments decides whether it can be done, by its own figures and Stripe's.
    """

    refund: RefundId
    donation: DonationId
    amount_minor: AmountMinor | None
    reason: RefundReason
    requested_by: CallerId


class RefundChanged(Body):
    """What is known of a refund, asked for here or made in Stripe's dashboard.

    `version` counts the changes of one refund: the highest one is the truth. `amount_minor` is in
    `currency`, the donor's; None when it was refused before it was known. `reason` is Stripe's,
    `code` says why it is pending, failed or was refused. `entry` is its entry, `failure_entry` the
    one that takes it back, since even a succeeded refund may fail later.
    """

    refund: RefundId
    donation: DonationId
    version: Annotated[int, Field(ge=1)]
    status: RefundStatus
    amount_minor: Annotated[int, Field(strict=True, gt=0)] | None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    reason: Code | None
    code: Code | None
    stripe_refund: StripeId | None
    entry: EntryId | None
    failure_entry: EntryId | None
    created_at: datetime
