"""Holds every request to what its operation needs (`edge/access.py`), before the handler runs.

Rules: a route without a statement does not start. The scope and SpiceDB must both allow it. Whoever
has no business with an organization is told that there is none such. Sources: RFC 6750, RFC 9470.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from aiohttp import web

from edge import api_keys
from edge.access import Access, Public
from edge.audit import asking
from edge.authentication import Authentication, token_of
from edge.authorization import Authorization, Question
from edge.caller import CALLER, ORGANIZATION, Caller, is_stepped_up
from edge.cross_origin import ORIGINS, require_origin
from edge.directory.directory import Directory
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.http import ACTOR
from edge.limits.policies import Rate
from edge.limits.rates import RateLimits

PLATFORM: Final = "platform:amply"
ORGANIZATION_HEADER: Final = "Amply-Organization"
#: Whoever has it is somebody to the organization, and may be told of refusals there.
_KNOWN_TO: Final = "is_involved"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class People(Protocol):
    """Finds the person of a request, by access token or session."""

    async def caller_of(self, request: web.Request) -> Caller | None:
        """The person, of no organization yet; None when nobody; ProblemError 401 when refused."""
        ...

    def step_up_challenge(self) -> str:
        """The `WWW-Authenticate` of a refusal for want of a second factor (RFC 9470)."""
        ...


class Nobody:
    """People while no provider of identities is set."""

    async def caller_of(self, request: web.Request) -> Caller | None:
        """Nobody."""
        return None

    def step_up_challenge(self) -> str:
        """Never needed."""
        raise AssertionError("nobody is signed in")


class Gate:
    """Lets callers through to handlers."""

    def __init__(
        self,
        authentication: Authentication,
        people: People,
        directory: Directory,
        authorization: Authorization,
        limits: RateLimits,
    ) -> None:
        self._authentication = authentication
        self._people = people
        self._directory = directory
        self._authorization = authorization
        self._limits = limits

    def guard(self, access: Access | Public, rate: Rate, handler: Handler) -> Handler:
        """The handler behind its checks."""
        if rate == "exempt" and isinstance(access, Public):
            return handler

        async def guarded(request: web.Request) -> web.StreamResponse:
            if isinstance(access, Public):
                await self._limits.admit_visitor(request, rate)
            else:
                await self.admit(request, access, rate)
            try:
                return await handler(request)
            except ProblemError as refusal:
                if refusal.code != "step_up_needed":
                    raise
                raise self._step_up_needed() from refusal  # Of what a service alone can tell.

        return guarded

    async def admit(self, request: web.Request, access: Access, rate: Rate) -> None:
        """Set the request's caller and organization; ProblemError 401, 403, 404, 429 or 503."""
        try:
            caller = await self._caller(request)
        except ProblemError as refusal:
            if refusal.kind.status == 401:  # Whoever tries secrets is told so often, and no more.
                await self._limits.admit_visitor(request, "sign_in")
            raise
        asking.current().actor = caller
        request[ACTOR] = caller.id
        await self._limits.admit_caller(request, rate, caller)
        if caller.origins:
            request[ORIGINS] = caller.origins
            require_origin(request)
            if not access.is_publishable:
                raise ProblemError("scope_missing", "A publishable key makes gifts only.")
        if access.scope not in caller.scopes:
            raise ProblemError("scope_missing", f"The scope `{access.scope}` is needed.")
        if access.is_for_persons and caller.kind != "person":
            raise ProblemError("permission_denied", "Only a person may do that.")
        if access.needs_step_up and not is_stepped_up(caller):
            raise self._step_up_needed()
        if access.on == "organization":
            organization = await self._of_path(request)
            request[ORGANIZATION] = organization
            if caller.kind == "person":
                caller = replace(caller, organization=organization.id)
            await self._check(caller, access, f"organization:{organization.id}")
        elif access.on in ("own", "service"):
            caller = await self._with_organization(request, caller)
            if caller.organization.startswith("col_"):
                pass  # A collector's scope opens what it collected, and its services know what.
            elif access.on == "own":
                await self._check(caller, access, f"organization:{caller.organization}")
            elif not await self._is_known(caller, f"organization:{caller.organization}"):
                raise ProblemError("organization_not_found")
        elif access.on == "platform":
            await self._check(caller, access, PLATFORM)
        request[CALLER] = asking.current().actor = caller

    def _step_up_needed(self) -> ProblemError:
        challenge = {"WWW-Authenticate": self._people.step_up_challenge()}
        return ProblemError("step_up_needed", headers=challenge)

    async def _caller(self, request: web.Request) -> Caller:
        token = token_of(request)
        if token is not None and api_keys.looks_like_one(token):
            return await self._authentication.caller_of(token)
        person = await self._people.caller_of(request)
        if person is None:
            raise self._authentication.refusal()
        return person

    async def _of_path(self, request: web.Request) -> Organization:
        organization = await self._directory.organization(request.match_info["organization"])
        if organization is None:
            raise ProblemError("organization_not_found")
        return organization

    async def _with_organization(self, request: web.Request, caller: Caller) -> Caller:
        if caller.kind != "person":
            return caller
        name = request.headers.get(ORGANIZATION_HEADER)
        if name is None:
            raise ProblemError("organization_not_named", param=ORGANIZATION_HEADER)
        organization = await self._directory.organization(name)
        if organization is None:
            raise ProblemError("organization_not_found")
        return replace(caller, organization=organization.id)

    async def _check(self, caller: Caller, access: Access, resource: str) -> None:
        if access.permission is None:
            # A key's scope opens what is its own organization's; a person has none but by role.
            if caller.kind == "person" or resource != f"organization:{caller.organization}":
                raise ProblemError("permission_denied")
            return
        question = Question(resource, access.permission, caller.subject)
        if await self._authorization.is_allowed(question, is_fresh=access.is_fresh):
            return
        if resource == PLATFORM or await self._is_known(caller, resource):
            raise ProblemError("permission_denied")
        raise ProblemError("organization_not_found")

    async def _is_known(self, caller: Caller, resource: str) -> bool:
        if caller.kind != "person":
            return resource == f"organization:{caller.organization}"
        return await self._authorization.is_allowed(Question(resource, _KNOWN_TO, caller.subject))
