"""What SpiceDB is told of organizations and keys (deploy/spicedb/schema.zed)."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

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


#: What only persons may, after a sign-in with a second factor where rights move: no key has these.
PERSONAL_SCOPES: Final = frozenset(
    {
        "api_keys:read",
        "api_keys:write",
        "collectors:read",
        "collectors:write",
        "members:write",
        "staff",
    }
)
#: What a key that stands in web pages may, and what a collector's may.
PUBLISHABLE_SCOPES: Final = frozenset({"donations:read", "donations:write"})
COLLECTOR_SCOPES: Final = frozenset({"donations:read", "donations:write"})

ROLES: Final = ("owner", "admin", "finance", "content", "viewer", "auditor", "board")
STAFF_ROLES: Final = ("support", "operations", "superuser")

Operation = Literal["touch", "delete"]

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
        changes += accepting(organization, "touch")
    changes += [of_fund(fund, organization) for fund in funds]
    return changes


def of_applicant(organization: str, person: str) -> list[RelationshipChange]:
    """An organization that applies belongs to the platform, which reviews it, and to its owner."""
    resource = f"organization:{organization}"
    return [_touch(resource, "platform", PLATFORM), _touch(resource, "owner", f"user:{person}")]


def accepting(organization: str, operation: Operation) -> list[RelationshipChange]:
    """Whether an organization accepts donations at all."""
    return _wildcards(operation, organization, "accepts_donations")


def suspended(organization: str, operation: Operation) -> list[RelationshipChange]:
    """Whether whatever moves its money is frozen."""
    return _wildcards(operation, organization, "suspended")


def of_member(organization: str, person: str, role: str | None) -> list[RelationshipChange]:
    """A person's one role in an organization; None: no role (any more)."""
    return _of_role(f"organization:{organization}", person, role, ROLES)


def of_staff(person: str, role: str | None) -> list[RelationshipChange]:
    """A person's one role at the platform; None: no role (any more)."""
    return _of_role(PLATFORM, person, role, STAFF_ROLES)


def of_collector(collector: str, manager: str) -> list[RelationshipChange]:
    """A new collector belongs to the platform and to whoever manages it."""
    resource = f"collector:{collector}"
    return [_touch(resource, "platform", PLATFORM), _touch(resource, "manager", f"user:{manager}")]


def collecting(organization: str, collector: str, operation: Operation) -> RelationshipChange:
    """Whether a collector may take gifts for an organization."""
    return _change(operation, f"organization:{organization}", "collector", f"collector:{collector}")


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


def of_revoked_key(
    key: str, organization: str, scopes: Iterable[str], funds: Collection[str] = ()
) -> list[RelationshipChange]:
    """All that `of_api_key` said is taken back."""
    said = of_api_key(key, organization, scopes, funds)
    return [change.model_copy(update={"operation": "delete"}) for change in said]


def _of_role(
    resource: str, person: str, role: str | None, roles: Iterable[str]
) -> list[RelationshipChange]:
    """Also those that nobody remembers giving are taken, so that a role is one."""
    subject = f"user:{person}"
    changes = [_change("delete", resource, other, subject) for other in roles if other != role]
    return changes if role is None else [*changes, _touch(resource, role, subject)]


def _wildcards(operation: Operation, organization: str, relation: str) -> list[RelationshipChange]:
    resource = f"organization:{organization}"
    return [_change(operation, resource, relation, subject) for subject in EVERYBODY]


def _touch(resource: str, relation: str, subject: str) -> RelationshipChange:
    return _change("touch", resource, relation, subject)


def _change(operation: Operation, resource: str, relation: str, subject: str) -> RelationshipChange:
    return RelationshipChange(
        operation=operation, resource=resource, relation=relation, subject=subject
    )
