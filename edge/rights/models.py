"""What donors' rights look like at the API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.rights.display import Display

_Strict = ConfigDict(extra="forbid", strict=True, frozen=True)
#: Versions of texts and places, as codes: nobody's words, so nothing personal.
Wording = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
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

    basis: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "gdpr-17"


class Erasure(BaseModel):
    """A donor who is being forgotten (`requested`), or is (`done`). It cannot be undone."""

    object: Literal["erasure"] = "erasure"
    id: str
    donor: str
    status: Literal["requested", "done"]
    basis: str
    requested_at: str
    done_at: str | None


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
