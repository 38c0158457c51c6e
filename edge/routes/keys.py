"""`/v1/organizations/{organization}/api-keys` and `/v1/collectors/{collector}/api-keys`."""

import re
from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION, caller_of
from edge.collectors.service import Collectors
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, refuse_query
from edge.keys.models import ApiKeyRequest, Rotation
from edge.keys.service import Keys
from edge.listing import read_page
from edge.resources import OWN, made, read_command, read_precondition, shown
from edge.routes.collectors import collector_in

_KEY: Final = re.compile(r"key_[0-7][0-9a-hjkmnp-tv-z]{25}")


class KeyRoutes:
    """Handlers, for both kinds of holders: the path says whose keys they are."""

    def __init__(self, keys: Keys, collectors: Collectors, fingerprint_key: bytes) -> None:
        self._keys = keys
        self._collectors = collectors
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """201 with the key and its secret."""
        caller = caller_of(request)
        refuse_query(request)
        holder = await self._holder(request)
        command = await read_command(request, ApiKeyRequest, caller, self._fingerprint_key)
        resource, version, is_replay = await self._keys.make(holder, command)
        request[SUBJECTS] = {"key": resource["id"]}
        place = f"{request.path}/{resource['id']}"
        return made(resource, place, version=version, is_replay=is_replay)

    async def list(self, request: web.Request) -> web.Response:
        """A page of keys."""
        page = read_page(request, {"kind": {"secret", "publishable"}})
        holder = await self._holder(request)
        return json_response(await self._keys.page(holder, page), headers=OWN)

    async def show(self, request: web.Request) -> web.Response:
        """A key."""
        refuse_query(request)
        holder = await self._holder(request)
        return shown(request, *await self._keys.show(holder, _key_in(request)))

    async def rotate(self, request: web.Request) -> web.Response:
        """201 with the key and its new secret."""
        refuse_query(request)
        holder, key = await self._holder(request), _key_in(request)
        command = await read_command(request, Rotation, caller_of(request), self._fingerprint_key)
        request[SUBJECTS] = {"key": key}
        resource, version, is_replay = await self._keys.rotate(holder, key, command)
        place = request.path.removesuffix("/rotate")
        return made(resource, place, version=version, is_replay=is_replay)

    async def revoke(self, request: web.Request) -> web.Response:
        """The key opens nothing any more."""
        refuse_query(request)
        holder, key = await self._holder(request), _key_in(request)
        request[SUBJECTS] = {"key": key}
        precondition = read_precondition(request, is_required=False)
        await self._keys.revoke(holder, key, precondition)
        return web.Response(status=204)

    async def _holder(self, request: web.Request) -> str:
        if "collector" not in request.match_info:
            return request[ORGANIZATION].id
        collector = collector_in(request)
        await self._collectors.require(caller_of(request), collector, "manage")
        return collector


def _key_in(request: web.Request) -> str:
    key = request.match_info["key"]
    if not _KEY.fullmatch(key):
        raise ProblemError("key_not_found")
    return key
