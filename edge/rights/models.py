"""What donors' rights look like at the API."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.message import OrganizationId
from edge.donations.models import EmailAddress
from edge.rights.display import Display
from edge.texts import Line

_Strict = ConfigDict(extra="forbid", strict=True, frozen=True)
#: Versions of texts and places, as codes: nobody's words, so nothing personal.
Wording = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Basis = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
ErasureStatus = Literal["waiting", "requested", "refused", "done"]
Source = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]


class DisplayChange(BaseModel):
    """How a gift's donor wants to be shown from now on."""

    model_config = _Strict

    display: Display


class GiftDisplay(BaseModel):
    """How a gift's donor is shown.

    `display` is the donor's choice, null for gifts without a donor and for those from before
    choices could change; `shown_as` is what the public sees of it: never more than the ledger's
    visibility of the gift allows. What the log has shown of the money stays there.
    """

    object: Literal["gift_display"] = "gift_display"
    donation: str
    display: Display | None
    shown_as: Display
    changed_at: str | None


class ConsentChange(BaseModel):
    """What a donor answered. `wording`: the version of the text shown; `source`: where it was."""

    model_config = _Strict

    is_given: bool
    wording: Wording
    source: Source


class Consent(BaseModel):
    """Whether the donor may be sent marketing. Never asked is no; a gift is no consent."""

    object: Literal["consent"] = "consent"
    purpose: Literal["marketing"] = "marketing"
    is_given: bool
    wording: str | None
    source: str | None
    recorded_at: str | None


class ErasureRequest(BaseModel):
    """Why, as a code; `gdpr-17` unless said otherwise."""

    model_config = _Strict

    basis: Basis = "gdpr-17"


class Erasure(BaseModel):
    """A donor who is being forgotten (`requested`), or is (`done`). It cannot be undone.

    What staff was asked is `waiting` until it is decided, perhaps `refused`.
    """

    object: Literal["erasure"] = "erasure"
    id: str
    donor: str
    status: ErasureStatus
    basis: str
    requested_at: str
    done_at: str | None


class StaffErasureRequest(BaseModel):
    """Who asked to be forgotten, and by which organization: a donor's id, or the mail address.

    The address is looked up by a keyed hash, and kept nowhere.
    """

    model_config = _Strict

    organization: Annotated[Line, Field(min_length=1, max_length=64)]
    donor: Annotated[str, Field(pattern=r"^prof_[0-7][0-9a-hjkmnp-tv-z]{25}$")] | None = None
    email: EmailAddress | None = None
    basis: Basis = "gdpr-17"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.donor is None) == (self.email is None):
            raise ValueError("give one of `donor` and `email`")
        return self


class ErasureRefusal(BaseModel):
    """Why a request is refused, as a code, such as `not-the-donor`."""

    model_config = _Strict

    reason: Basis


class StaffErasure(BaseModel):
    """A request to forget a donor as staff sees it: ids and codes, no person.

    `decided_by` is null for what the organization asked for itself.
    """

    object: Literal["erasure_request"]
    id: str
    organization: OrganizationId
    donor: str
    status: ErasureStatus
    basis: str
    requested_by: str
    requested_at: str
    decided_by: str | None
    decided_at: str | None
    reason: str | None
    done_at: str | None


class StaffErasurePage(BaseModel):
    """Oldest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[StaffErasure]


class DonorGift(BaseModel):
    """A gift with all that is kept of it. `given_as` is what the donor typed, opened."""

    donation: str
    status: str | None
    amount_minor: int | None
    currency: str | None
    fund: str | None
    payment_intent: str | None
    created_at: str | None
    display: Display | None
    given_as: dict[str, Any] | None
    entries: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    disputes: list[dict[str, Any]]
    requests: list[dict[str, Any]]


class DonorData(BaseModel):
    """Everything that is kept about one person, as one organization knows them.

    Lists hold objects with ids, times and states. `webhooks` are what the payment processor said
    about the payments, with the bodies while they are kept; `audit` is who did what to the person's
    data, or read it.
    """

    object: Literal["donor_data"] = "donor_data"
    donor: str
    organization: str
    known_since: str
    gifts: list[DonorGift]
    consents: list[Consent]
    mails: list[dict[str, Any]]
    webhooks: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    made_at: str
