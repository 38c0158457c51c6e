"""Organizations as their people, the platform's staff and the public see and change them."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.donations import Visibility
from contracts.message import OrganizationId
from contracts.money import EXPONENTS
from edge.characters import lines
from edge.donations.models import Name
from edge.resources import patch_of

Kind = Literal["nonprofit", "charity", "foundation", "association", "ngo", "fiscally_sponsored"]
Status = Literal["pending", "verified", "suspended", "closed"]
Review = Literal["requested", "information_requested", "approved", "rejected", "withdrawn"]
VerificationLevel = Literal["standard", "enhanced", "comprehensive"]

_ADDRESS: Final = re.compile(r"https://[^\s<>\"'\\@]+")


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("a text holds more than white space")
    return value


def _address(value: str) -> str:
    if not (value.isprintable() and _ADDRESS.fullmatch(value)):
        raise ValueError("an address begins with https:// and names no user")
    return value


def _currency(value: str) -> str:
    if value not in EXPONENTS:
        raise ValueError("a currency is one that Stripe charges in")
    return value


def _goals(value: list[int]) -> list[int]:
    if len(set(value)) != len(value):
        raise ValueError("a goal is named once")
    return sorted(value)


Prose = Annotated[
    str, Field(min_length=1, max_length=5000), AfterValidator(lines), AfterValidator(_said)
]
WebAddress = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_address)]
Reason = Annotated[
    str, Field(min_length=1, max_length=2000), AfterValidator(lines), AfterValidator(_said)
]
Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9](-?[a-z0-9]){1,62}$",
        description="The short name in addresses; it never changes.",
    ),
]


class OrganizationProfile(BaseModel):
    """What an organization says of itself. `sdgs` are Sustainable Development Goals, 1 to 17."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    kind: Kind = "nonprofit"
    description: Prose | None = None
    website: WebAddress | None = None
    logo: WebAddress | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1.")]
    sdgs: Annotated[
        list[Annotated[int, Field(ge=1, le=17)]], Field(max_length=17), AfterValidator(_goals)
    ] = []
    default_currency: Annotated[
        str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217."), AfterValidator(_currency)
    ]
    is_listed: Annotated[bool, Field(description="Whether the public list shows it.")] = True


class OrganizationApplication(OrganizationProfile):
    """An organization that asks to be taken in; whoever applies becomes its owner."""

    slug: Slug


class OrganizationVisibility(BaseModel):
    """What coming gifts and bookings show, where their fund says nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    visibility: Visibility


OrganizationProfilePatch = patch_of(OrganizationProfile)


class Decision(BaseModel):
    """Why; the organization's people read it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    reason: Reason


class Approval(BaseModel):
    """That it is verified, and how thoroughly that was looked into."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    reason: Reason | None = None
    verification_level: VerificationLevel = "standard"


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OrganizationLinks(BaseModel):
    """Where more is."""

    self: str
    public: str


class PublicProfile(BaseModel):
    """What anybody may know of a verified organization."""

    id: OrganizationId
    object: Literal["organization"]
    slug: str
    name: str
    kind: Kind
    description: str | None
    website: str | None
    logo: str | None
    country: str | None
    sdgs: list[int]
    default_currency: str | None
    verification_level: VerificationLevel
    verified_at: str | None
    links: OrganizationLinks


class Organization(PublicProfile):
    """An organization as its people see it. `reason` is what the platform's staff last said."""

    is_listed: bool
    status: Status
    review: Review
    reason: str | None
    visibility: Visibility
    accepts_donations: bool
    suspended_at: str | None
    created_at: str
    updated_at: str


class PublicProfilePage(BaseModel):
    """Newest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[PublicProfile]


class OrganizationPage(BaseModel):
    """Newest first; the staff's queue oldest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[Organization]
