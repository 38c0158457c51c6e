"""`/v1/organizations/{organization}/funds`: list, open, show, change, close."""

import re
from typing import Final

from aiohttp import web

from contracts.money import EXPONENTS
from edge import resources
from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.funds.models import FundCreation
from edge.funds.service import Funds
from edge.http import json_response, refuse_query
from edge.listing import read_page

_FUND: Final = re.compile(r"fund_[0-7][0-9a-hjkmnp-tv-z]{25}")
_FILTERS: Final = {
    "currency": frozenset(EXPONENTS),
    "kind": ("general", "project", "restricted", "emergency"),
    "status": ("active", "closed"),
}


class FundRoutes:
    """Handlers, behind the gate."""

    def __init__(self, funds: Funds, fingerprint_key: bytes) -> None:
        self._funds = funds
        self._fingerprint_key = fingerprint_key

    async def list(self, request: web.Request) -> web.Response:
        """A page of funds."""
        page = await self._funds.page(request[ORGANIZATION].id, read_page(request, _FILTERS))
        return json_response(page, headers=resources.OWN)

    async def create(self, request: web.Request) -> web.Response:
        """201 with the new fund."""
        caller = caller_of(request)
        command = await resources.read_command(request, FundCreation, caller, self._fingerprint_key)
        organization = request[ORGANIZATION]
        (value, version), is_replay = await self._funds.create(organization, caller, command)
        location = f"/v1/organizations/{organization.id}/funds/{value['id']}"
        return resources.made(value, location, version=version, is_replay=is_replay)

    async def show(self, request: web.Request) -> web.Response:
        """One fund."""
        refuse_query(request)
        value, version = await self._funds.show(request[ORGANIZATION].id, fund_in(request))
        return resources.shown(request, value, version)

    async def change(self, request: web.Request) -> web.Response:
        """The fund, changed."""
        change = await resources.read_change(request)
        value, version = await self._funds.change(
            request[ORGANIZATION], caller_of(request), fund_in(request), change
        )
        return resources.shown(request, value, version)


def fund_in(request: web.Request) -> str:
    """The fund in the path; ProblemError 404 when it is no id of one."""
    identifier = request.match_info["fund"]
    if not _FUND.fullmatch(identifier):
        raise ProblemError("fund_not_found")
    return identifier
