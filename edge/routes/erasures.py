"""`/v1/staff/erasures`: requests to forget donors, for the platform's people."""

import re
from typing import Final

from aiohttp import web

from edge.caller import caller_of
from edge.errors import ProblemError
from edge.http import json_response
from edge.listing import read_page
from edge.organizations.models import Nothing
from edge.resources import OWN, read_model
from edge.rights.desk import ErasureDesk
from edge.rights.models import ErasureRefusal, StaffErasureRequest

_ERASURE: Final = re.compile(r"era_[0-7][0-9a-hjkmnp-tv-z]{25}")
_STATUSES: Final = {"waiting", "requested", "refused", "done"}


class ErasureRoutes:
    """Handlers, behind the gate."""

    def __init__(self, desk: ErasureDesk) -> None:
        self._desk = desk

    async def list(self, request: web.Request) -> web.Response:
        """A page of requests."""
        page = await self._desk.page(read_page(request, {"status": _STATUSES}))
        return json_response(page, headers=OWN)

    async def ask(self, request: web.Request) -> web.Response:
        """202 with a request that waits."""
        body = await read_model(request, StaffErasureRequest)
        return json_response(
            await self._desk.ask(caller_of(request), body), status=202, headers=OWN
        )

    async def approve(self, request: web.Request) -> web.Response:
        """Have it carried out."""
        await read_model(request, Nothing)
        shown = await self._desk.decide(caller_of(request), _erasure(request), "approved")
        return json_response(shown, headers=OWN)

    async def refuse(self, request: web.Request) -> web.Response:
        """Do not."""
        body = await read_model(request, ErasureRefusal)
        shown = await self._desk.decide(
            caller_of(request), _erasure(request), "refused", body.reason
        )
        return json_response(shown, headers=OWN)


def _erasure(request: web.Request) -> str:
    identifier = request.match_info["erasure"]
    if not _ERASURE.fullmatch(identifier):
        raise ProblemError("erasure_not_found")
    return identifier
