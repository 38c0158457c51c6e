"""What SpiceDB is told of organizations and keys (deploy/spicedb/schema.zed)."""

from collections.abc import Collection, Iterable
from typing import Final

from contracts.permissions import RelationshipChange

PLATFORM: Final = "platform:amply"
#: Everybody there is: a wildcard covers one kind of subject.
EVERYBODY: Final = ("user:*", "api_key:*", "collector:*", "visitor:*")

#: Scopes of API keys, and the relation that SpiceDB must hold beside. None: everybody has it.
SCOPES: Final[dict[str, str | None]] = {
    "access:read": "scope_access_read",
    "accounts:read": "scope_account_read",
    "audit:read": "scope_audit_read",
    "accounts:write": "scope_account_manage",
    "bookings:read": "scope_booking_read",
    "bookings:write": "scope_booking_record",
    "campaigns:read": "scope_campaign_read",
    "campaigns:write": "scope_campaign_manage",
    "donations:read": "scope_donation_read",
    "donations:write": "scope_donation_create",
    "donors:read": "scope_donor_read",
    "events:read": "scope_event_read",
    "exports": "scope_ledger_export",
    "funds:read": "scope_fund_read",
    "funds:write": "scope_fund_manage",
    "ledger:read": None,
    "ledger:read_internal": "scope_ledger_read",
    "members:read": "scope_member_read",
    "organizations:read": "scope_organization_read",
    "organizations:write": "scope_organization_manage",
    "payouts:read": "scope_payout_read",
    "payouts:write": "scope_payout_manage",
    "projects:read": "scope_project_read",
    "projects:write": "scope_project_manage",
    # The report tells all of an organization's money, as an export does.
    "reconciliation:read": "scope_ledger_export",
    "refunds:write": "scope_refund_create",
    "transactions:read": "scope_transaction_read",
}


#: The relation that a scope may have with single funds, in place of the whole organization.
OF_FUNDS: Final = frozenset({"ledger:read_internal"})


def of_organization(
    organization: str, funds: Iterable[str], *, accepts_donations: bool
) -> list[RelationshipChange]:
    """A new organization belongs to the platform, publishes its ledger, perhaps takes gifts."""
    resource = f"organization:{organization}"
    changes = [_touch(resource, "platform", PLATFORM)]
    changes += [_touch(resource, "public_ledger", subject) for subject in EVERYBODY]
    if accepts_donations:
        changes += [_touch(resource, "accepts_donations", subject) for subject in EVERYBODY]
    changes += [of_fund(fund, organization) for fund in funds]
    return changes


def of_fund(fund: str, organization: str) -> RelationshipChange:
    """A fund belongs to its organization."""
    return _touch(f"fund:{fund}", "organization", f"organization:{organization}")


def of_api_key(
    key: str, organization: str, scopes: Iterable[str], funds: Collection[str] = ()
) -> list[RelationshipChange]:
    """A new key belongs to its organization and has its scopes there.

    With `funds`, those scopes that may be had with single funds are had with these only.
    """
    resource = f"organization:{organization}"
    changes = [_touch(f"api_key:{key}", "organization", resource)]
    for scope in sorted(scopes):
        relation = SCOPES[scope]
        if relation is None:
            continue
        of_funds = [f"fund:{fund}" for fund in funds] if scope in OF_FUNDS else []
        changes += [_touch(on, relation, f"api_key:{key}") for on in of_funds or [resource]]
    return list(dict.fromkeys(changes))  # Two scopes may need one relation.


def _touch(resource: str, relation: str, subject: str) -> RelationshipChange:
    return RelationshipChange(
        operation="touch", resource=resource, relation=relation, subject=subject
    )
