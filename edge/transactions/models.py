"""A transaction as the API shows it."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import BookingId, CampaignId, EntryId, FundId, OrganizationId, ProjectId

TransactionType = Literal[
    "donation",
    "grant",
    "transfer_in",
    "refund_received",
    "interest",
    "expense",
    "grant_out",
    "transfer_out",
    "refund_issued",
    "fee",
]


class Transaction(BaseModel):
    """Money into a fund (positive) or out of it, as the ledger has recorded it.

    `refunded`: what came is gone again, by later entries about the same gift. What is not recorded
    yet is no transaction: see the donation, or the booking.
    """

    id: str
    object: Literal["transaction"] = "transaction"
    organization: OrganizationId
    fund: FundId
    type: TransactionType
    status: Literal["completed", "refunded"]
    amount_minor: int
    currency: str
    entry: EntryId
    ref: EntryId | None
    campaign: CampaignId | None
    project: ProjectId | None
    booking: BookingId | None
    occurred_at: str | None
    recorded_at: str


class TransactionList(BaseModel):
    """A page of transactions, newest first."""

    object: Literal["list"] = "list"
    data: list[Transaction]
    has_more: bool
    next_cursor: str | None
