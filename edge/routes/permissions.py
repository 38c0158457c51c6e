"""`/v1/organizations/{organization}/access` and `/v1/me/access`."""

from aiohttp import web

from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import json_response, query_integer, refuse_query
from edge.permissions.decisions import PERMISSIONS
from edge.permissions.operations import HOLDER_LIMITS, OWN_LIMITS
from edge.permissions.service import Asked, Permissions

_CURSOR_LENGTH_MAX = 4096


class PermissionRoutes:
    """Handlers."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    async def holders(self, request: web.Request) -> web.Response:
        """Who has a permission on the organization."""
        asked = _asked(request, HOLDER_LIMITS)
        if asked.permission is None:
            raise _unknown_permission()
        organization = request[ORGANIZATION].id
        return json_response(await self._permissions.holders(organization, asked.permission, asked))

    async def own(self, request: web.Request) -> web.Response:
        """Where the caller may do what."""
        return json_response(
            await self._permissions.own(caller_of(request), _asked(request, OWN_LIMITS))
        )


def _asked(request: web.Request, limits: tuple[int, int]) -> Asked:
    refuse_query(request, "permission", "cursor", "limit")
    most, default = limits
    permission, cursor = request.query.get("permission"), request.query.get("cursor")
    if permission is not None and permission not in PERMISSIONS:
        raise _unknown_permission()
    if cursor is not None and len(cursor) > _CURSOR_LENGTH_MAX:
        raise ProblemError("query_not_accepted", "`cursor` is too long.", param="cursor")
    return Asked(permission, query_integer(request, "limit", default, 1, most), cursor)


def _unknown_permission() -> ProblemError:
    return ProblemError(
        "query_not_accepted", "`permission` names one of the permissions.", param="permission"
    )
