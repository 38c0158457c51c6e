"""The composition of an organization's affairs: funds, projects, campaigns, bookings, events."""

from collections.abc import Callable
from functools import partial

from edge import idempotency
from edge.audit.service import AuditLog
from edge.authorization import Authorization
from edge.bookings.service import Bookings
from edge.campaigns.service import Campaigns
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.donations.status import Donations
from edge.donors.sealing import Sealing
from edge.donors.service import Donors
from edge.events.service import Events
from edge.funds.service import Funds
from edge.permissions.service import Permissions
from edge.projects.service import Projects
from edge.public.service import PublicLedger
from edge.rights.service import Rights
from edge.routes.affairs import Affairs
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
from edge.spicedb import SpiceDB
from edge.transactions.service import Transactions
from edge.waiting import Waiters
from ledger.keys import derive


def build(
    members: tuple[Database, Directory, Authorization],
    public: PublicLedger,
    changes: Waiters[str],
    clock: BusinessClock,
    master_key: bytes,
    is_backlogged: Callable[[], bool],
    donations: Donations,
    spicedb: SpiceDB,
) -> Affairs:
    """The handlers of affairs."""
    database, directory, authorization = members
    fingerprint_key = derive(master_key, idempotency.PURPOSE)
    business_now = partial(clock.moment, database)
    campaigns = Campaigns(database, business_now)
    bookings = Bookings(*(database, directory, Sealing(master_key), business_now, is_backlogged))
    return Affairs(
        permissions=PermissionRoutes(Permissions(spicedb, directory)),
        audit=AuditRoutes(AuditLog(database, master_key)),
        events=EventRoutes(Events(database, authorization, changes)),
        funds=FundRoutes(Funds(database, authorization), fingerprint_key),
        projects=ProjectRoutes(Projects(database), fingerprint_key),
        campaigns=CampaignRoutes(campaigns, public, fingerprint_key),
        bookings=BookingRoutes(bookings, fingerprint_key),
        transactions=TransactionRoutes(Transactions(database)),
        donors=DonorRoutes(Donors(database, master_key)),
        rights=RightsRoutes(Rights(database, donations, business_now, master_key)),
    )
