"""Answers about permissions, as the API shows them."""

from typing import Final, Literal

from pydantic import BaseModel

from contracts.message import OrganizationId

#: What somebody may be permitted on an organization; deploy/spicedb/schema.zed says who is.
OfOrganization = Literal[
    "change_bank_account",
    "change_visibility",
    "close_organization",
    "collect_donation",
    "consent_to_publication",
    "create_donation",
    "create_donation_by_api",
    "erase_donor",
    "export_ledger",
    "issue_refund",
    "manage_api_keys",
    "manage_campaigns",
    "manage_collectors",
    "manage_funds",
    "manage_members",
    "manage_owners",
    "manage_payouts",
    "manage_profile",
    "manage_projects",
    "manage_stripe_account",
    "manage_webhooks",
    "record_bookings",
    "request_review",
    "view_access",
    "view_audit_log",
    "view_bookings",
    "view_campaigns",
    "view_donations",
    "view_donors",
    "view_events",
    "view_funds",
    "view_internal_ledger",
    "view_members",
    "view_organization",
    "view_payouts",
    "view_projects",
    "view_public_ledger",
    "view_stripe_account",
    "view_transactions",
]
#: What somebody may be permitted on the platform.
OfPlatform = Literal[
    "handle_erasures",
    "manage_collectors",
    "manage_staff",
    "request_erasures",
    "review_organizations",
    "suspend_organizations",
    "view_organizations",
]
Kind = Literal["person", "api_key", "collector", "everybody"]
#: SpiceDB's word for each kind, in the order of a list.
KINDS: Final[dict[str, Kind]] = {
    "visitor": "everybody",
    "user": "person",
    "api_key": "api_key",
    "collector": "collector",
}


class Reason(BaseModel):
    """What somebody has here: a role (`owner`), a scope of a key, or a role of the staff."""

    kind: Literal["role", "scope", "staff"]
    name: str


class Holder(BaseModel):
    """Who has the permission, and by what of all they have. `id` is null for everybody."""

    object: Literal["access"] = "access"
    kind: Kind
    id: str | None
    through: list[Reason]


class HolderPage(BaseModel):
    """Those who have a permission on an organization, in a stable order."""

    object: Literal["list"] = "list"
    organization: OrganizationId
    permission: OfOrganization
    data: list[Holder]
    has_more: bool
    next_cursor: str | None


class OwnAccess(BaseModel):
    """What the caller may do on one organization, and what they have there."""

    object: Literal["access"] = "access"
    organization: OrganizationId
    slug: str
    name: str
    permissions: list[OfOrganization]
    through: list[Reason]


class OwnAccessPage(BaseModel):
    """Organizations where the caller may do something; `platform` is what they may do on Amply."""

    object: Literal["list"] = "list"
    subject: str
    platform: list[OfPlatform]
    data: list[OwnAccess]
    has_more: bool
    next_cursor: str | None
