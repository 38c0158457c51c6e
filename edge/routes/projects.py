"""`/v1/organizations/{organization}/projects`: list, begin, show, change, news."""

import re
from collections.abc import Collection
from typing import Final

from aiohttp import web

from edge import resources
from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import json_response, refuse_query
from edge.listing import read_page
from edge.projects.models import ProjectCreation, UpdateCreation
from edge.projects.service import Projects

_PROJECT: Final = re.compile(r"proj_[0-7][0-9a-hjkmnp-tv-z]{25}")
_FILTERS: Final[dict[str, Collection[str] | re.Pattern[str]]] = {
    "status": ("planning", "active", "completed", "cancelled"),
    "fund": re.compile(r"fund_[0-7][0-9a-hjkmnp-tv-z]{25}"),
}


class ProjectRoutes:
    """Handlers, behind the gate."""

    def __init__(self, projects: Projects, fingerprint_key: bytes) -> None:
        self._projects = projects
        self._fingerprint_key = fingerprint_key

    async def list(self, request: web.Request) -> web.Response:
        """A page of projects."""
        page = await self._projects.page(request[ORGANIZATION].id, read_page(request, _FILTERS))
        return json_response(page, headers=resources.OWN)

    async def create(self, request: web.Request) -> web.Response:
        """201 with the new project."""
        command = await resources.read_command(
            request, ProjectCreation, caller_of(request), self._fingerprint_key
        )
        organization = request[ORGANIZATION].id
        (value, version), is_replay = await self._projects.create(organization, command)
        location = f"/v1/organizations/{organization}/projects/{value['id']}"
        return resources.made(value, location, version=version, is_replay=is_replay)

    async def show(self, request: web.Request) -> web.Response:
        """One project."""
        refuse_query(request)
        value, version = await self._projects.show(request[ORGANIZATION].id, _project_in(request))
        return resources.shown(request, value, version)

    async def change(self, request: web.Request) -> web.Response:
        """The project, changed."""
        change = await resources.read_change(request)
        value, version = await self._projects.change(
            request[ORGANIZATION].id, _project_in(request), change
        )
        return resources.shown(request, value, version)

    async def news(self, request: web.Request) -> web.Response:
        """A page of a project's news."""
        page = await self._projects.news(
            request[ORGANIZATION].id, _project_in(request), read_page(request)
        )
        return json_response(page, headers=resources.OWN)

    async def tell(self, request: web.Request) -> web.Response:
        """201 with the news."""
        command = await resources.read_command(
            request, UpdateCreation, caller_of(request), self._fingerprint_key
        )
        value, is_replay = await self._projects.tell(
            request[ORGANIZATION].id, _project_in(request), command
        )
        return resources.made(value, request.path, is_replay=is_replay)


def _project_in(request: web.Request) -> str:
    identifier = request.match_info["project"]
    if not _PROJECT.fullmatch(identifier):
        raise ProblemError("project_not_found")
    return identifier
