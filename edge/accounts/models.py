"""What a client sends about an organization's Stripe account, and how the edge shows it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.accounts import AccountRequestId, CountryCode
from contracts.message import OrganizationId

State = Literal["none", "setup", "restricted", "review", "active", "revoked"]


class AccountCreation(BaseModel):
    """An account to make, or with `replace` one to move to."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    country: Annotated[
        CountryCode, Field(description="Where the organization is (ISO 3166-1 alpha-2).")
    ]
    replace: Annotated[
        bool,
        Field(description="Move to a new account; the old one is used until that may charge."),
    ] = False


class LinkCreation(BaseModel):
    """A link to make: to what Stripe needs now, or also to what it will need."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["onboarding", "update"] = "onboarding"


class AccountRequest(BaseModel):
    """What came of a request. `url` is for one visit until `expires_at`, and for who asked."""

    id: AccountRequestId
    object: Literal["account_request"] = "account_request"
    status: Literal["pending", "done", "refused"]
    code: str | None
    account: str | None
    url: str | None
    expires_at: str | None


class Requirement(BaseModel):
    """Something that Stripe wants to know, by its own name and in plain words."""

    name: str
    description: str


class AccountShown(BaseModel):
    """One account as Stripe showed it last."""

    id: str
    state: State
    charges_enabled: bool
    payouts_enabled: bool
    details_submitted: bool
    disabled_reason: str | None
    due: list[Requirement]
    due_by: str | None
    in_review: list[Requirement]
    country: str | None
    default_currency: str | None
    bank_status: str | None
    changed_at: str


class StripeAccount(BaseModel):
    """An organization's current account, the one that it moves to, and those that it had.

    `summary` says in plain words what the state means and what to do.
    """

    object: Literal["stripe_account"] = "stripe_account"
    organization: OrganizationId
    state: State
    summary: str
    account: AccountShown | None
    next_account: AccountShown | None
    retired: list[str]
