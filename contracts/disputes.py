"""Disputes: a donor's bank takes a gift back, or asks about it first."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.message import Body, Code, DisputeId, DonationId, EntryId, StripeId


class DisputeChanged(Body):
    """What is known of a dispute. `version` counts its changes: the highest one is the truth.

    `status` is Stripe's word (`warning_…` is an inquiry: no money moves); `amount_minor` in
    `currency` is what is disputed, which may be less or more than the gift. `withdrawn_minor` of
    it is with the bank now. `blocks_refunds` repeats that Stripe lets nothing be refunded
    meanwhile. `is_return` tells a debit that the bank returned from a cardholder's complaint.
    Source: Stripe API, "The Dispute object".
    """

    dispute: DisputeId
    donation: DonationId
    version: Annotated[int, Field(ge=1)]
    status: Code
    reason: Code
    amount_minor: Annotated[int, Field(strict=True, ge=0)]
    withdrawn_minor: Annotated[int, Field(strict=True, ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    blocks_refunds: bool
    is_return: bool
    evidence_due_at: datetime | None
    stripe_dispute: StripeId
    entries: tuple[EntryId, ...]
    created_at: datetime
