"""`/v1/organizations/{organization}/donors`: who gave, and what."""

import re
from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION
from edge.donors.service import Donors
from edge.errors import ProblemError
from edge.http import json_response, refuse_query
from edge.listing import read_page

_DONOR: Final = re.compile(r"prof_[0-7][0-9a-hjkmnp-tv-z]{25}")
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,189}")


class DonorRoutes:
    """Handlers, behind the gate."""

    def __init__(self, donors: Donors) -> None:
        self._donors = donors

    async def list(self, request: web.Request) -> web.Response:
        """A page of donors."""
        page = read_page(request, {"email": _EMAIL})
        value = await self._donors.page(request[ORGANIZATION].id, page, page.filters.get("email"))
        return json_response(value)

    async def show(self, request: web.Request) -> web.Response:
        """One donor."""
        refuse_query(request)
        return json_response(await self._donors.show(request[ORGANIZATION].id, _donor_in(request)))

    async def gifts(self, request: web.Request) -> web.Response:
        """A page of a donor's gifts."""
        page = read_page(request)
        value = await self._donors.gifts(request[ORGANIZATION].id, _donor_in(request), page)
        return json_response(value)


def _donor_in(request: web.Request) -> str:
    identifier = request.match_info["donor"]
    if not _DONOR.fullmatch(identifier):
        raise ProblemError("donor_not_found")
    return identifier
