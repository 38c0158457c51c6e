"""What members book, in simple words, and how the edge shows a booking."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from contracts.message import (
    BookingId,
    CampaignId,
    EntryId,
    FundId,
    OrganizationId,
    ProjectId,
    TransferId,
)
from contracts.money import AmountMinor, Currency
from edge.donations.models import Donor
from edge.texts import Day

#: Where a fund's money lies: on the organization's bank account, or in its cash box.
Account = Literal["bank", "cash"]
Reference = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./_#-]{0,63}$",
        description="The organization's own number, of an invoice for instance. It may be published"
        " and stays for ever: nothing that identifies a person.",
    ),
]
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Booking(BaseModel):
    """What all bookings say. The currency must be that of the fund, so that none is mistaken."""

    model_config = _CONFIG

    fund: FundId
    currency: Currency
    account: Account = "bank"
    occurred_on: Day | None = None
    reference: Reference | None = None


class _OneAmount(_Booking):
    amount_minor: AmountMinor


class ExpenseLine(BaseModel):
    """A part of an expense; `purpose` names an account below `Expenses:Program`."""

    model_config = _CONFIG

    amount_minor: AmountMinor
    purpose: Annotated[str | None, Field(pattern=r"^[A-Z][A-Za-z0-9-]{0,39}$")] = None


class Expense(_Booking):
    """Money spent on the purpose."""

    kind: Literal["expense"]
    lines: Annotated[list[ExpenseLine], Field(min_length=1, max_length=50)]
    project: ProjectId | None = None


class GrantOut(_OneAmount):
    """Money given to somebody outside the platform."""

    kind: Literal["grant_out"]
    project: ProjectId | None = None


class Grant(_OneAmount):
    """A grant by an institution."""

    kind: Literal["grant"]


class Interest(_OneAmount):
    """Interest on what is held."""

    kind: Literal["interest"]


class Allocation(_OneAmount):
    """Money moved to another fund of the organization, of the same currency."""

    kind: Literal["allocation"]
    to_fund: FundId


class OfflineDonation(_OneAmount):
    """A gift that came outside the platform: in cash, as a cheque, to the bank account."""

    kind: Literal["offline_donation"]
    method: Literal["cash", "cheque", "bank_transfer"]
    campaign: CampaignId | None = None
    donor: Donor | None = None


class TransferOut(_OneAmount):
    """Money offered to another organization; nothing is recorded until it takes it."""

    kind: Literal["transfer_out"]
    to_organization: OrganizationId


class TransferIn(_OneAmount):
    """Money of another organization, taken into a fund; both sides are recorded then."""

    kind: Literal["transfer_in"]
    transfer: TransferId


Simple = Annotated[
    Expense | GrantOut | Grant | Interest | Allocation | OfflineDonation,
    Field(discriminator="kind"),
]


class Correction(BaseModel):
    """A booking was wrong: its entry is reversed, and what is right instead is recorded with it."""

    model_config = _CONFIG

    kind: Literal["correction"]
    corrects: BookingId
    replacement: Simple | None = None


Asked = (
    Expense
    | GrantOut
    | Grant
    | Interest
    | Allocation
    | OfflineDonation
    | TransferOut
    | TransferIn
    | Correction
)


class BookingRequest(RootModel[Annotated[Asked, Field(discriminator="kind")]]):
    """A booking to make."""

    model_config = ConfigDict(strict=True, frozen=True)


class Refusal(BaseModel):
    """Why the ledger refused it for good."""

    code: str
    reason: str


class Booking(BaseModel):
    """A booking. `pending` until the ledger has recorded all its entries, or refused one.

    A transfer stays `pending` until its recipient takes it; corrected before that, it is
    `withdrawn`.
    """

    id: BookingId
    object: Literal["booking"] = "booking"
    organization: OrganizationId
    kind: str
    status: Literal["pending", "recorded", "refused", "withdrawn"]
    fund: FundId
    amount_minor: int
    currency: str
    terms: Annotated[dict[str, Any], Field(description="As asked, without the donor.")]
    entries: list[EntryId]
    transfer: TransferId | None
    corrects: BookingId | None
    corrected_by: BookingId | None
    refusal: Refusal | None
    created_at: str


class BookingList(BaseModel):
    """A page of bookings, oldest first."""

    object: Literal["list"] = "list"
    data: list[Booking]
    has_more: bool
    next_cursor: str | None
