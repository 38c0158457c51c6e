"""`/openapi.json` and `/problems`: the API explained by itself."""

from aiohttp import web

from edge import errors, problem_pages
from edge.errors import ProblemError
from edge.http import json_response
from edge.openapi import COMMITTED

_SHARED = {"Cache-Control": "public, max-age=300"}


class DocumentationRoutes:
    """Handlers without a key."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        # As committed, which a test holds against the code: to make it takes a while.
        self._document = COMMITTED.read_bytes()

    async def openapi(self, request: web.Request) -> web.Response:
        """The OpenAPI 3.1 document."""
        return json_response(self._document, headers=_SHARED)

    async def problems(self, request: web.Request) -> web.Response:
        """Every problem there is."""
        listed = [problem_pages.explain(self._base_url, code) for code in errors.PROBLEMS]
        return json_response({"object": "list", "data": listed}, headers=_SHARED)

    async def problem(self, request: web.Request) -> web.Response:
        """One problem, at its `type`."""
        code = request.match_info["code"]
        if code not in errors.PROBLEMS:
            raise ProblemError("not_found")
        return json_response(problem_pages.explain(self._base_url, code), headers=_SHARED)
