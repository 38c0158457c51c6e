"""What a client sends to make a donation, and how the edge shows one."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.donations import PaymentMethodId
from contracts.message import CampaignId, DonationId, EntryId, FundId, OrganizationId
from contracts.money import AmountMinor
from edge.characters import line
from edge.refunds.models import Aftermath

_ORGANIZATION: Final = r"^(org_[0-7][0-9a-hjkmnp-tv-z]{25}|[a-z0-9](-?[a-z0-9]){1,62})$"
# Strict enough that nothing can break out of a mail header; delivery decides the rest.
_EMAIL: Final = re.compile(r"[^\s@\"<>(),:;\\\[\]]{1,64}@[^\s@\"<>(),:;\\\[\]]{1,189}")


def _address(value: str) -> str:
    if not (value.isprintable() and _EMAIL.fullmatch(value)):
        raise ValueError("a mail address has the form name@domain")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(line)]
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
    currency: Annotated[
        str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, of those that are taken here.")
    ]
    fund: Annotated[
        FundId | None,
        Field(description="Default: the organization's fund in this currency, else its first one."),
    ] = None
    campaign: Annotated[
        CampaignId | None, Field(description="An active campaign that the donor was asked by.")
    ] = None
    covers_fee: Annotated[
        bool, Field(description="Charge more, so that the gift is what is left after the fees.")
    ] = False
    payment_method: Annotated[
        PaymentMethodId | None,
        Field(
            description="A Stripe PaymentMethod to charge. Without one the donor confirms on the"
            " client, by the `next_action` that the donation shows."
        ),
    ] = None
    donor: Donor | None = None


class AttemptRequest(BaseModel):
    """Another try to collect a gift that is not paid."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    payment_method: Annotated[
        PaymentMethodId | None,
        Field(description="A Stripe PaymentMethod. Without one the donor confirms on the client."),
    ] = None


class CancelRequest(BaseModel):
    """Nothing needs to be said."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Status = Literal[
    "pending",
    "requires_action",
    "processing",
    "failed",
    "canceled",
    "expired",
    "captured",
    "recorded",
]

#: There will be no money, whatever happens.
CLOSED: Final = frozenset({"canceled", "expired"})
#: Nothing more happens without the donor, or at all.
SETTLED: Final = CLOSED | {"recorded", "failed", "requires_action"}


class Failure(BaseModel):
    """Why the newest attempt that failed did. `decline_code` is Stripe's, as is the minimum."""

    code: str
    decline_code: str | None
    minimum_minor: int | None
    minimum_currency: str | None


class NextAction(BaseModel):
    """The donor must confirm: hand `client_secret` to Stripe.js.

    Make it by `Stripe(publishable_key, {stripeAccount: account})`.
    """

    type: Literal["confirm_payment"] = "confirm_payment"
    client_secret: str
    publishable_key: str | None
    account: str | None


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
    campaign: CampaignId | None
    amount_minor: int
    charge_amount_minor: int
    currency: str
    covers_fee: bool
    attempt: int
    payment_intent: str | None
    failure: Failure | None
    next_action: NextAction | None
    entry: EntryPlace | None
    created_at: str
    updated_at: str
    links: Links
