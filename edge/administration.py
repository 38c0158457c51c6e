"""The composition of what is administered: organizations, members, keys, collectors."""

from edge import idempotency
from edge.authorization import Authorization
from edge.collectors.service import Collectors
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.keys.service import Keys
from edge.members.invitations import Invitations
from edge.members.service import Members
from edge.members.staff import Staff
from edge.organizations.applications import Applications
from edge.people.service import Persons
from edge.rights.desk import ErasureDesk
from edge.routes.administration import Administration
from edge.routes.collectors import CollectorRoutes
from edge.routes.erasures import ErasureRoutes
from edge.routes.keys import KeyRoutes
from edge.routes.members import MemberRoutes
from edge.routes.organizations import OrganizationRoutes
from edge.settings import Settings
from ledger.keys import derive


def build(
    settings: Settings, database: Database, directory: Directory, authorization: Authorization
) -> Administration:
    """The handlers over their services."""
    key = settings.master_key
    fingerprint_key = derive(key, idempotency.PURPOSE)
    collectors = Collectors(database, authorization)
    keys = Keys(database, key, settings.environment)
    applications = Applications(database, settings.log_origin)
    return Administration(
        organizations=OrganizationRoutes(applications, directory, authorization, fingerprint_key),
        members=MemberRoutes(
            Members(database, authorization, Persons(database, key)),
            Invitations(database, authorization, key),
            Staff(database),
            fingerprint_key,
        ),
        keys=KeyRoutes(keys, collectors, fingerprint_key),
        collectors=CollectorRoutes(collectors, fingerprint_key),
        erasures=ErasureRoutes(ErasureDesk(database, directory, key)),
    )
