"""What a client sends to refund a gift, and how the edge shows what came after one."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.message import DisputeId, DonationId, EntryId, OrganizationId, RefundId
from contracts.money import AmountMinor
from contracts.refunds import RefundReason, RefundStatus

#: What became of the money since it came; an open dispute counts before all else.
Standing = Literal["kept", "partially_refunded", "refunded", "disputed", "dispute_lost", "returned"]

#: Nothing more happens by itself.
SETTLED = frozenset({"requires_action", "succeeded", "failed", "canceled", "refused"})


class RefundRequest(BaseModel):
    """A refund to make, to the payment method that the gift came from."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    amount_minor: Annotated[
        AmountMinor | None,
        Field(description="In the gift's currency; left out: all that is left of it."),
    ] = None
    reason: RefundReason = "requested_by_customer"


class RefundLinks(BaseModel):
    """Addresses on this server."""

    self: str
    donation: str


class Refund(BaseModel):
    """A refund, asked for here or made in Stripe's dashboard.

    `amount_minor` is null until all that is left is known. `code` says why a refund is pending,
    failed or was refused (never made). A succeeded refund may still fail: the bank sends it back.
    """

    id: RefundId
    object: Literal["refund"] = "refund"
    status: RefundStatus
    organization: OrganizationId
    donation: DonationId
    amount_minor: int | None
    currency: str
    reason: str | None
    code: str | None
    entry: EntryId | None
    failure_entry: EntryId | None
    created_at: str
    updated_at: str
    links: RefundLinks


class RefundList(BaseModel):
    """All refunds of a gift, oldest first."""

    data: list[Refund]


class RefundSummary(BaseModel):
    """A refund of the gift."""

    id: RefundId
    status: RefundStatus
    amount_minor: int | None


class DisputeSummary(BaseModel):
    """A dispute about the gift; `status` is Stripe's word, `warning_…` an inquiry without money."""

    id: DisputeId
    status: str
    reason: str
    amount_minor: int
    withdrawn_minor: int
    currency: str
    evidence_due_at: str | None


class Aftermath(BaseModel):
    """What came after a gift was paid; `standing` is null before.

    `paid_back_twice_minor` was refunded *and* taken by the bank: answer the dispute with the
    refund as evidence, and it comes back when the dispute is won.
    """

    standing: Standing | None
    refunded_amount_minor: int
    refundable_amount_minor: int
    paid_back_twice_minor: int
    refunds: list[RefundSummary]
    disputes: list[DisputeSummary]
