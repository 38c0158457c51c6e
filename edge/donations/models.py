"""What a client sends to make a donation, and how the edge shows one."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.message import DonationId, EntryId, FundId, OrganizationId
from contracts.money import AmountMinor, Currency
from edge.refunds.models import Aftermath

_ORGANIZATION: Final = r"^(org_[0-7][0-9a-hjkmnp-tv-z]{25}|[a-z0-9](-?[a-z0-9]){1,62})$"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Strict enough that nothing can break out of a mail header; delivery decides the rest.
_EMAIL: Final = re.compile(r"[^\s@\"<>(),:;\\\[\]]{1,64}@[^\s@\"<>(),:;\\\[\]]{1,189}")


def _plain_text(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("a name holds no control characters")
    if not value.strip():
        raise ValueError("a name holds more than white space")
    return value


def _address(value: str) -> str:
    if not (value.isprintable() and _EMAIL.fullmatch(value)):
        raise ValueError("a mail address has the form name@domain")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_text)]
EmailAddress = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_address)]


class Donor(BaseModel):
    """Who gives. Sealed in the ledger; shown on public pages only as far as `display` says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name | None = None
    email: EmailAddress | None = None
    display: Literal["public", "amount_only", "anonymous"] = "public"


class DonationRequest(BaseModel):
    """A gift to make. Amounts are whole numbers of the currency's minor unit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    organization: Annotated[
        str, Field(pattern=_ORGANIZATION, description="The short name or `org_…` id.")
    ]
    amount_minor: AmountMinor
    currency: Currency
    fund: Annotated[
        FundId | None, Field(description="Default: the organization's fund in this currency.")
    ] = None
    covers_fee: Annotated[
        bool, Field(description="Charge more, so that the gift is what is left after the fee.")
    ] = False
    payment_method: Annotated[
        str, Field(pattern=r"^pm_[A-Za-z0-9_]{1,200}$", description="A Stripe PaymentMethod.")
    ]
    donor: Donor | None = None


Status = Literal["pending", "processing", "requires_action", "failed", "captured", "recorded"]

#: Nothing more happens without the donor, or at all.
SETTLED: Final = frozenset({"recorded", "failed", "requires_action"})


class Failure(BaseModel):
    """Why there is no money. `decline_code` is Stripe's."""

    code: str
    decline_code: str | None


class NextAction(BaseModel):
    """The donor must confirm with their bank: hand `client_secret` to Stripe.js."""

    type: Literal["confirm_payment"] = "confirm_payment"
    client_secret: str


class EntryPlace(BaseModel):
    """Where the gift stands in the ledger."""

    id: EntryId
    log: int
    index: int
    seq: int


class Links(BaseModel):
    """Addresses on this server."""

    self: str
    receipt: str


class Donation(Aftermath):
    """A donation as its key may see it. `pending` until Stripe was asked."""

    id: DonationId
    object: Literal["donation"] = "donation"
    status: Status
    organization: OrganizationId
    fund: FundId
    amount_minor: int
    charge_amount_minor: int
    currency: str
    covers_fee: bool
    payment_intent: str | None
    failure: Failure | None
    next_action: NextAction | None
    entry: EntryPlace | None
    created_at: str
    updated_at: str
    links: Links
