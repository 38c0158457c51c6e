"""What anyone sees of an organization, as the API shows it."""

from typing import Literal

from pydantic import BaseModel

from contracts.donations import Visibility
from contracts.message import OrganizationId


class Sums(BaseModel):
    """In minor units, as decimals of any length."""

    income_minor: str
    expenses_minor: str


class Totals(Sums):
    """All that may be told in one currency: money in the clear, and sealed money in sums.

    Sealed money is told when its month is over, and never a sum of fewer than three sealed gifts:
    `entries_waiting` are in no sum yet. Entries of visibility `internal_only` never are.
    """

    currency: str
    shown: Sums
    folded: Sums
    entries_waiting: int


class VisibilityShares(BaseModel):
    """How many entries with money were recorded with which visibility, and widened to which."""

    recorded: dict[Visibility, int]
    widened: dict[Visibility, int]


class LogName(BaseModel):
    """The log that the organization's entries are in."""

    origin: str
    number: int


class LedgerLinks(BaseModel):
    """Addresses on this server."""

    ledger: str
    export: str
    checkpoint: str
    verifier_key: str


class PublicOrganization(BaseModel):
    """An organization and its figures."""

    object: Literal["organization"]
    id: OrganizationId
    slug: str
    name: str
    accepts_donations: bool
    entries: int
    visibility: VisibilityShares
    totals: list[Totals]
    log: LogName
    links: LedgerLinks
