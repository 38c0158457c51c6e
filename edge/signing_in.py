"""The parts of people's sign-in, put together: where a provider of identities is set."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edge.caller import STEP_UP_AGE_MAX
from edge.database.pool import Database
from edge.gate import Nobody, People
from edge.operations import OPERATIONS
from edge.organizations.relationships import SCOPES
from edge.people.own import OwnRights
from edge.people.service import Persons
from edge.routes.authentication import AuthenticationRoutes
from edge.sessions.authentication import PersonAuthentication
from edge.sessions.cookies import Cookies
from edge.sessions.service import Sessions
from edge.settings import Settings
from edge.tokens.exchange import Exchange
from edge.tokens.http import Http
from edge.tokens.provider import Provider


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who finds people, their routes, and what lives as long as the edge."""

    people: People
    routes: AuthenticationRoutes
    parts: Sequence[Http | Provider] = ()


def build(settings: Settings, database: Database) -> SignIn:
    """Without a provider there is nobody, and the routes say so."""
    cookies = Cookies(settings.url)
    persons = Persons(database, settings.master_key)
    own = OwnRights(database, persons)
    if settings.provider is None:
        return SignIn(Nobody(), AuthenticationRoutes(None, own, cookies))
    # Codes are brought by anybody: they never wait in front of the keys.
    issuer = settings.provider.issuer
    of_keys, of_codes = Http(issuer), Http(issuer)
    provider = Provider(settings.provider, of_keys.fetch, time.monotonic)
    sessions = Sessions(
        *(database, persons, provider, Exchange(provider, of_codes.fetch)),
        master_key=settings.master_key,
        url=settings.url,
        step_up_age_max=STEP_UP_AGE_MAX,
    )
    people = PersonAuthentication(
        *(provider, persons, sessions, cookies),
        environment=settings.environment,
        url=settings.url,
        scopes={*SCOPES, *(one.scope for one in OPERATIONS if one.scope is not None)},
        step_up_age_max=STEP_UP_AGE_MAX,
    )
    routes = AuthenticationRoutes(sessions, own, cookies)
    return SignIn(people, routes, (of_keys, of_codes, provider))
