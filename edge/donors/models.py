"""A donor as an organization sees one."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import DonationId, EntryId, OrganizationId, ProfileId


class Person(BaseModel):
    """Who it is, as said with the newest recorded gift; `display` is how that may be shown."""

    name: str | None = None
    email: str | None = None
    display: Literal["public", "amount_only", "anonymous"]


class Given(BaseModel):
    """What a donor gave in one currency: intended gifts whose money came, refunds not deducted."""

    currency: str
    gifts: int
    amount_minor: int


class DonorProfile(BaseModel):
    """One person as one organization knows them. `person` is null until a gift is recorded."""

    id: ProfileId
    object: Literal["donor"] = "donor"
    organization: OrganizationId
    person: Person | None
    given: list[Given]
    created_at: str


class DonorList(BaseModel):
    """A page of donors, by when they first gave."""

    object: Literal["list"] = "list"
    data: list[DonorProfile]
    has_more: bool
    next_cursor: str | None


class DonorGift(BaseModel):
    """A gift of a donor; one that came outside the platform is `recorded` from the start."""

    id: DonationId
    object: Literal["donor_gift"] = "donor_gift"
    is_offline: bool
    status: str
    amount_minor: int
    currency: str
    entry: EntryId | None
    created_at: str


class DonorGiftList(BaseModel):
    """A page of a donor's gifts, oldest first."""

    object: Literal["list"] = "list"
    data: list[DonorGift]
    has_more: bool
    next_cursor: str | None
