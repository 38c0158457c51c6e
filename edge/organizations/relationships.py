"""Which relationships follow from the edge's rows (deploy/spicedb/schema.zed).

`SAYS` is the table: of each kind of row, the relationships that it decides over, and whether each
holds. Who changes a row asks for `changes`, the reconciler compares `following` with what SpiceDB
holds; so the two cannot disagree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from contracts.permissions import RelationshipChange
from edge.spicedb import Relation

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

#: The relation that a scope may have with single funds, in place of the whole organization.
OF_FUNDS: Final = frozenset({"ledger:read_internal"})
#: Of whom no money moves: the schema takes `suspended` off all permissions that would.
FROZEN: Final = frozenset({"suspended", "closed"})


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization, by where it stands."""

    id: str
    status: str
    review: str
    accepts_donations: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A person in an organization; `role` None: no member (any more)."""

    organization: str
    person: str
    role: str | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FundRow:
    """A fund of an organization."""

    id: str
    organization: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of an organization.

    With `funds`, those scopes that may be had with single funds are had with these only.
    """

    id: str
    organization: str
    scopes: tuple[str, ...]
    funds: tuple[str, ...] = ()
    expires_at: datetime | None = None
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class CollectorRow:
    """A collector, which somebody manages."""

    id: str
    manager: str


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """Whether a collector may take gifts for an organization."""

    organization: str
    collector: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A person at the platform; `role` None: none (any more)."""

    person: str
    role: str | None


Row = OrganizationRow | MemberRow | FundRow | KeyRow | CollectorRow | CollectionRow | StaffRow
Said = Iterator[tuple[Relation, bool]]


def _of_organization(row: OrganizationRow, now: datetime) -> Said:
    """It is the platform's; once verified it publishes its ledger, and perhaps takes gifts."""
    del now
    resource = f"organization:{row.id}"
    is_verified = row.review == "approved"
    takes_gifts = is_verified and row.accepts_donations and row.status != "closed"
    yield Relation(resource, "platform", PLATFORM), True
    for relation, holds in (
        ("public_ledger", is_verified),
        ("accepts_donations", takes_gifts),
        ("suspended", row.status in FROZEN),
    ):
        for subject in EVERYBODY:
            yield Relation(resource, relation, subject), holds


def _of_member(row: MemberRow, now: datetime) -> Said:
    """One role, and no other."""
    is_over = row.expires_at is not None and row.expires_at <= now
    for role in ROLES:
        holds = role == row.role and not is_over
        end = row.expires_at if holds else None
        yield Relation(f"organization:{row.organization}", role, f"user:{row.person}", end), holds


def _of_fund(row: FundRow, now: datetime) -> Said:
    """It belongs to its organization."""
    del now
    yield Relation(f"fund:{row.id}", "organization", f"organization:{row.organization}"), True


def _of_key(row: KeyRow, now: datetime) -> Said:
    """It belongs to its organization and has its scopes there, until it ends."""
    resource, subject = f"organization:{row.organization}", f"api_key:{row.id}"
    holds = not row.is_revoked and (row.expires_at is None or row.expires_at > now)
    yield Relation(subject, "organization", resource), holds
    for scope in sorted(row.scopes):
        relation = SCOPES.get(scope)  # A version before may have known another one.
        if relation is None:
            continue
        of_funds = row.funds if scope in OF_FUNDS else ()
        for fund in of_funds:
            yield Relation(f"fund:{fund}", relation, subject), holds
        yield Relation(resource, relation, subject), holds and not of_funds


def _of_collector(row: CollectorRow, now: datetime) -> Said:
    """It belongs to the platform and to whoever manages it, also when it is closed."""
    del now
    yield Relation(f"collector:{row.id}", "platform", PLATFORM), True
    yield Relation(f"collector:{row.id}", "manager", f"user:{row.manager}"), True


def _of_collection(row: CollectionRow, now: datetime) -> Said:
    """It takes gifts for the organization, or not."""
    del now
    resource, subject = f"organization:{row.organization}", f"collector:{row.collector}"
    yield Relation(resource, "collector", subject), row.is_allowed


def _of_staff(row: StaffRow, now: datetime) -> Said:
    """One role, and no other."""
    del now
    for role in STAFF_ROLES:
        yield Relation(PLATFORM, role, f"user:{row.person}"), role == row.role


SAYS: Final[Mapping[type[Row], Callable[[Any, datetime], Said]]] = {
    OrganizationRow: _of_organization,
    MemberRow: _of_member,
    FundRow: _of_fund,
    KeyRow: _of_key,
    CollectorRow: _of_collector,
    CollectionRow: _of_collection,
    StaffRow: _of_staff,
}


def following(rows: Iterable[Row], now: datetime) -> list[Relation]:
    """What should be, by these rows; each once."""
    said = (one for row in rows for one in SAYS[type(row)](row, now))
    return list(dict.fromkeys(relation for relation, holds in said if holds))


def changes(
    rows: Iterable[Row], now: datetime, leftovers: Iterable[Relation] = ()
) -> list[RelationshipChange]:
    """What SpiceDB is told when rows are so now: what holds, and that the rest of theirs does not.

    `leftovers` go unless they hold.
    """
    said = [one for row in rows for one in SAYS[type(row)](row, now)]
    held = {relation.names: relation for relation, holds in said if holds}
    gone = {relation.names: relation for relation, holds in said if not holds}
    gone |= {relation.names: relation for relation in leftovers}
    taken = [change_of("delete", one) for names, one in gone.items() if names not in held]
    return [*taken, *(change_of("touch", one) for one in held.values())]


def change_of(operation: Literal["touch", "delete"], one: Relation) -> RelationshipChange:
    """To say of one relationship. What is deleted is named alone, whatever end it has."""
    return RelationshipChange(
        operation=operation,
        resource=one.resource,
        relation=one.relation,
        subject=one.subject,
        expires_at=one.expires_at if operation == "touch" else None,
    )
