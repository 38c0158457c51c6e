"""An organization's affairs as its members and listeners see them: which handler answers where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from edge.routes.audit import AuditRoutes
from edge.routes.bookings import BookingRoutes
from edge.routes.campaigns import CampaignRoutes
from edge.routes.donors import DonorRoutes
from edge.routes.events import EventRoutes
from edge.routes.funds import FundRoutes
from edge.routes.permissions import PermissionRoutes
from edge.routes.projects import ProjectRoutes
from edge.routes.rights import RightsRoutes
from edge.routes.transactions import TransactionRoutes

_MEMBER: Final = "/v1/organizations/{organization}"
_FUNDS: Final = f"{_MEMBER}/funds"
_PROJECTS: Final = f"{_MEMBER}/projects"
_CAMPAIGNS: Final = f"{_MEMBER}/campaigns"
_BOOKINGS: Final = f"{_MEMBER}/bookings"
_TRANSACTIONS: Final = f"{_MEMBER}/transactions"
_DONORS: Final = f"{_MEMBER}/donors"
_PUBLIC: Final = "/v1/public/organizations/{slug}/campaigns"


Row = tuple[str, str, Callable[[web.Request], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affairs:
    """Handlers by subject."""

    audit: AuditRoutes
    events: EventRoutes
    funds: FundRoutes
    projects: ProjectRoutes
    campaigns: CampaignRoutes
    bookings: BookingRoutes
    transactions: TransactionRoutes
    donors: DonorRoutes
    rights: RightsRoutes
    permissions: PermissionRoutes

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (
            ("GET", "/v1/events", self.events.list),
            ("GET", f"{_MEMBER}/audit-log", self.audit.list),
            ("GET", f"{_MEMBER}/audit-log/export", self.audit.export),
            ("GET", _FUNDS, self.funds.list),
            ("POST", _FUNDS, self.funds.create),
            ("GET", f"{_FUNDS}/{{fund}}", self.funds.show),
            ("PATCH", f"{_FUNDS}/{{fund}}", self.funds.change),
            ("GET", _PROJECTS, self.projects.list),
            ("POST", _PROJECTS, self.projects.create),
            ("GET", f"{_PROJECTS}/{{project}}", self.projects.show),
            ("PATCH", f"{_PROJECTS}/{{project}}", self.projects.change),
            ("GET", f"{_PROJECTS}/{{project}}/updates", self.projects.news),
            ("POST", f"{_PROJECTS}/{{project}}/updates", self.projects.tell),
            ("GET", _CAMPAIGNS, self.campaigns.list),
            ("POST", _CAMPAIGNS, self.campaigns.create),
            ("GET", f"{_CAMPAIGNS}/{{campaign}}", self.campaigns.show),
            ("PATCH", f"{_CAMPAIGNS}/{{campaign}}", self.campaigns.change),
            ("GET", _BOOKINGS, self.bookings.list),
            ("POST", _BOOKINGS, self.bookings.create),
            ("GET", f"{_BOOKINGS}/{{booking}}", self.bookings.show),
            ("GET", _TRANSACTIONS, self.transactions.list),
            ("GET", f"{_TRANSACTIONS}/{{transaction}}", self.transactions.show),
            ("GET", f"{_FUNDS}/{{fund}}/transactions", self.transactions.of_fund),
            ("GET", _DONORS, self.donors.list),
            ("GET", f"{_DONORS}/{{donor}}", self.donors.show),
            ("GET", f"{_DONORS}/{{donor}}/gifts", self.donors.gifts),
            ("GET", _PUBLIC, self.campaigns.public_list),
            ("GET", f"{_PUBLIC}/{{campaign}}", self.campaigns.public_show),
            *self.rights.table(),
            ("GET", "/v1/organizations/{organization}/access", self.permissions.holders),
            ("GET", "/v1/me/access", self.permissions.own),
        )
