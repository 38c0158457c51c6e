"""`/v1/collectors`, and `/v1/organizations/{organization}/collectors`."""

import re
from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION, caller_of
from edge.collectors.models import CollectorProfile
from edge.collectors.service import Collectors
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, refuse_query
from edge.listing import read_page
from edge.resources import OWN, made, read_change, read_command, read_precondition, shown

_COLLECTOR: Final = re.compile(r"col_[0-7][0-9a-hjkmnp-tv-z]{25}")
_FILTERS: Final = {"status": {"allowed", "revoked"}}


class CollectorRoutes:
    """Handlers."""

    def __init__(self, collectors: Collectors, fingerprint_key: bytes) -> None:
        self._collectors = collectors
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """201 with the collector."""
        caller = caller_of(request)
        command = await read_command(request, CollectorProfile, caller, self._fingerprint_key)
        resource, version, is_replay = await self._collectors.make(command)
        request[SUBJECTS] = {"collector": resource["id"]}
        place = f"/v1/collectors/{resource['id']}"
        return made(resource, place, version=version, is_replay=is_replay)

    async def list(self, request: web.Request) -> web.Response:
        """Those that the caller manages."""
        page = await self._collectors.managed(caller_of(request).id, read_page(request))
        return json_response(page, headers=OWN)

    async def show(self, request: web.Request) -> web.Response:
        """A collector."""
        refuse_query(request)
        found = await self._collectors.require(caller_of(request), collector_in(request), "view")
        return shown(request, *found)

    async def change(self, request: web.Request) -> web.Response:
        """Who it is after a merge patch."""
        change = await read_change(request)
        collector = await self._managed(request)
        return shown(request, *await self._collectors.change(collector, change))

    async def close(self, request: web.Request) -> web.Response:
        """It collects no more."""
        refuse_query(request)
        collector = await self._managed(request)
        await self._collectors.close(collector, read_precondition(request, is_required=False))
        return web.Response(status=204)

    async def organizations(self, request: web.Request) -> web.Response:
        """Who allows it."""
        page, collector = read_page(request, _FILTERS), collector_in(request)
        await self._collectors.require(caller_of(request), collector, "view")
        listed = await self._collectors.collections(collector, page)
        return json_response(listed, headers=OWN)

    async def allowed(self, request: web.Request) -> web.Response:
        """Whom the organization allows."""
        organization = request[ORGANIZATION].id
        page = await self._collectors.collections(organization, read_page(request, _FILTERS))
        return json_response(page, headers=OWN)

    async def allow(self, request: web.Request) -> web.Response:
        """Let it collect for the organization."""
        refuse_query(request)
        collector = collector_in(request)
        request[SUBJECTS] = {"collector": collector}
        return json_response(
            await self._collectors.allow(caller_of(request), collector), headers=OWN
        )

    async def revoke(self, request: web.Request) -> web.Response:
        """Let it collect no more for the organization."""
        refuse_query(request)
        collector = collector_in(request)
        request[SUBJECTS] = {"collector": collector}
        await self._collectors.revoke(caller_of(request), collector)
        return web.Response(status=204)

    async def _managed(self, request: web.Request) -> str:
        collector = collector_in(request)
        await self._collectors.require(caller_of(request), collector, "manage")
        return collector


def collector_in(request: web.Request) -> str:
    """The collector in the path; ProblemError 404 when it cannot be one."""
    collector = request.match_info["collector"]
    if not _COLLECTOR.fullmatch(collector):
        raise ProblemError("collector_not_found")
    return collector
