"""`/v1/organizations/{organization}/ledger` and below: for members."""

from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION, caller_of
from edge.http import json_response, refuse_query, tagged
from edge.ledger.service import MemberLedger
from edge.routes.public import page_asked

_OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class LedgerRoutes:
    """Handlers; what a key sees is decided for each entry."""

    def __init__(self, ledger: MemberLedger) -> None:
        self._ledger = ledger

    async def entries(self, request: web.Request) -> web.Response:
        """A page of entries; `cursor` is the page's before."""
        cursor, limit = page_asked(request)
        page = await self._ledger.page(caller_of(request), request[ORGANIZATION].id, cursor, limit)
        return tagged(request, json_response(page, headers=_OWN))

    async def entry(self, request: web.Request) -> web.Response:
        """One entry with what the key may see of it."""
        refuse_query(request)
        value = await self._ledger.entry(
            caller_of(request), request[ORGANIZATION].id, request.match_info["entry"]
        )
        return tagged(request, json_response(value, headers=_OWN))
