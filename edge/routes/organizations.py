"""`/v1/organizations`, `/v1/public/organizations` and the staff's queue of them."""

import re
from typing import Final

from aiohttp import web

from edge.authorization import Authorization
from edge.caller import ORGANIZATION, caller_of
from edge.directory.directory import Directory
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, refuse_query, tagged
from edge.listing import Filters, read_page
from edge.organizations.applications import Applications, Shown
from edge.organizations.decisions import Action
from edge.organizations.models import (
    Approval,
    Decision,
    Nothing,
    OrganizationApplication,
    OrganizationVisibility,
)
from edge.resources import OWN, made, read_change, read_command, read_model, shown

_SHARED: Final = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"}
_PUBLIC_FILTERS: Final[Filters] = {
    "search": re.compile(r".{1,100}"),
    "sdg": {str(goal) for goal in range(1, 18)},
    "country": re.compile(r"[A-Z]{2}"),
}
_QUEUE_FILTERS: Final = {
    "status": {"pending", "verified", "suspended", "closed"},
    "review": {"requested", "information_requested", "approved", "rejected", "withdrawn"},
}


class OrganizationRoutes:
    """Handlers."""

    def __init__(
        self,
        applications: Applications,
        directory: Directory,
        authorization: Authorization,
        fingerprint_key: bytes,
    ) -> None:
        self._applications = applications
        self._authorization = authorization
        self._directory = directory
        self._fingerprint_key = fingerprint_key

    async def apply(self, request: web.Request) -> web.Response:
        """201 with the pending organization."""
        caller = caller_of(request)
        command = await read_command(
            request, OrganizationApplication, caller, self._fingerprint_key
        )
        applied = await self._applications.apply(command)
        request[SUBJECTS] = {"organization": applied.resource["id"]}
        return made(
            applied.resource,
            f"/v1/organizations/{applied.resource['id']}",
            version=applied.version,
            is_replay=applied.is_replay,
        )

    async def list(self, request: web.Request) -> web.Response:
        """Those that the caller belongs to."""
        page = await self._applications.mine(caller_of(request), read_page(request))
        return json_response(page, headers=OWN)

    async def show(self, request: web.Request) -> web.Response:
        """One organization."""
        refuse_query(request)
        return _answer(request, await self._applications.show(request[ORGANIZATION].id))

    async def change(self, request: web.Request) -> web.Response:
        """Its profile after a merge patch."""
        change = await read_change(request)
        return _answer(request, await self._applications.change(request[ORGANIZATION].id, change))

    async def set_visibility(self, request: web.Request) -> web.Response:
        """What coming entries show."""
        body = await read_model(request, OrganizationVisibility)
        changed = await self._applications.set_visibility(
            self._authorization, caller_of(request), body.visibility
        )
        return _answer(request, changed)

    async def request_review(self, request: web.Request) -> web.Response:
        """Say that what was asked for is there."""
        await read_model(request, Nothing)
        return await self._act(request, request[ORGANIZATION].id, "request_review")

    async def withdraw(self, request: web.Request) -> web.Response:
        """Take the application back."""
        await read_model(request, Nothing)
        return await self._act(request, request[ORGANIZATION].id, "withdraw")

    async def listed(self, request: web.Request) -> web.Response:
        """The public list."""
        page = await self._applications.listed(read_page(request, _PUBLIC_FILTERS))
        return tagged(request, json_response(page, headers=_SHARED))

    async def queue(self, request: web.Request) -> web.Response:
        """All of them, for staff."""
        page = await self._applications.queue(read_page(request, _QUEUE_FILTERS))
        return json_response(page, headers=OWN)

    async def approve(self, request: web.Request) -> web.Response:
        """Verify it."""
        body = await read_model(request, Approval)
        organization = await self._of_path(request)
        done = await self._applications.act(
            organization, "approve", body.reason, body.verification_level
        )
        return _answer(request, done)

    async def reject(self, request: web.Request) -> web.Response:
        """Do not take it in."""
        return await self._decide(request, "reject")

    async def request_information(self, request: web.Request) -> web.Response:
        """Ask its people for more."""
        return await self._decide(request, "request_information")

    async def suspend(self, request: web.Request) -> web.Response:
        """Freeze its money."""
        return await self._decide(request, "suspend")

    async def reinstate(self, request: web.Request) -> web.Response:
        """Undo that."""
        return await self._decide(request, "reinstate")

    async def close(self, request: web.Request) -> web.Response:
        """Let it take no gifts for good."""
        return await self._decide(request, "close")

    async def _decide(self, request: web.Request, action: Action) -> web.Response:
        body = await read_model(request, Decision)
        return await self._act(request, await self._of_path(request), action, body.reason)

    async def _act(
        self, request: web.Request, organization: str, action: Action, reason: str | None = None
    ) -> web.Response:
        request[SUBJECTS] = {"organization": organization}
        return _answer(request, await self._applications.act(organization, action, reason))

    async def _of_path(self, request: web.Request) -> str:
        found = await self._directory.organization(request.match_info["organization"])
        if found is None:
            raise ProblemError("organization_not_found")
        return found.id


def _answer(request: web.Request, one: Shown) -> web.Response:
    return shown(request, one.resource, one.version)
