"""What the edge knows of organizations, funds and API keys."""

from dataclasses import dataclass
from datetime import datetime

from contracts.donations import Visibility
from edge.organizations.models import Status
from edge.settings import Environment


@dataclass(frozen=True, slots=True)
class Organization:
    """`public_after_days` counts from a gift whose visibility is `delayed_public`.

    `may_charge`: Stripe lets its current account take charges, and lets us act for it.
    `platform_fee_basis_points` is the platform's share of each charge, in 1/10 000. A pending one
    has no ledger yet; money of a suspended or closed one stands still.
    """

    id: str
    slug: str
    name: str
    log: int
    visibility: Visibility
    public_after_days: int
    accepts_donations: bool
    may_charge: bool
    platform_fee_basis_points: int = 0
    status: Status = "verified"


@dataclass(frozen=True, slots=True)
class Fund:
    """`visibility` None means the organization's. A fund has one currency."""

    id: str
    organization: str
    currency: str
    visibility: Visibility | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class Campaign:
    """As far as a gift needs it: whether it may be named, and where it goes."""

    id: str
    organization: str
    status: str
    fund: str | None
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: `secret_hash` is all that is known of its secret.

    `organization` is its holder, which may be a collector `col_…`. A publishable one has the
    `origins` of the pages that it may stand in. The secret before a rotation is a key that ends
    with the overlap.
    """

    id: str
    organization: str
    environment: Environment
    secret_hash: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    origins: frozenset[str] = frozenset()
