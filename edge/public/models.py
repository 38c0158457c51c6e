"""What anyone sees of an organization, as the API shows it."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import OrganizationId


class Totals(BaseModel):
    """Sums over the public funds in one currency, in minor units, as decimals of any length."""

    currency: str
    income_minor: str
    expenses_minor: str
    assets_minor: str


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
    totals: list[Totals]
    log: LogName
    links: LedgerLinks
