"""`/v1/organizations/{organization}/bookings`: book, list, see what became of it."""

import re
from collections.abc import Collection
from typing import Final

from aiohttp import web

from edge import resources
from edge.bookings.models import BookingRequest
from edge.bookings.service import Bookings
from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import json_response, refuse_query, tagged
from edge.listing import read_page

_BOOKING: Final = re.compile(r"book_[0-7][0-9a-hjkmnp-tv-z]{25}")
_FILTERS: Final[dict[str, Collection[str] | re.Pattern[str]]] = {
    "kind": (
        *("expense", "grant", "grant_out", "interest", "allocation", "transfer_out"),
        *("transfer_in", "offline_donation", "correction"),
    ),
    "fund": re.compile(r"fund_[0-7][0-9a-hjkmnp-tv-z]{25}"),
}


class BookingRoutes:
    """Handlers, behind the gate."""

    def __init__(self, bookings: Bookings, fingerprint_key: bytes) -> None:
        self._bookings = bookings
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """202 with the booking once it is durable."""
        command = await resources.read_command(
            request, BookingRequest, caller_of(request), self._fingerprint_key
        )
        organization = request[ORGANIZATION]
        value, is_replay = await self._bookings.record(organization, command)
        location = f"/v1/organizations/{organization.id}/bookings/{value['id']}"
        return resources.made(value, location, is_replay=is_replay, status=202)

    async def list(self, request: web.Request) -> web.Response:
        """A page of bookings."""
        page = await self._bookings.page(request[ORGANIZATION].id, read_page(request, _FILTERS))
        return json_response(page, headers=resources.OWN)

    async def show(self, request: web.Request) -> web.Response:
        """One booking."""
        refuse_query(request)
        identifier = request.match_info["booking"]
        if not _BOOKING.fullmatch(identifier):
            raise ProblemError("booking_not_found")
        value = await self._bookings.show(request[ORGANIZATION].id, identifier)
        return tagged(request, json_response(value, headers=resources.OWN))
