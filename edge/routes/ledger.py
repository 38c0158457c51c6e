"""`/v1/organizations/{slug}/ledger` and below: for keys with the scope `ledger:read`."""

from typing import Final

from aiohttp import web

from edge.authentication import Authentication
from edge.http import json_response, refuse_query, tagged
from edge.ledger.service import SCOPE, MemberLedger
from edge.routes.public import page_asked

_OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class LedgerRoutes:
    """Handlers; what a key sees is decided for each entry."""

    def __init__(self, authentication: Authentication, ledger: MemberLedger) -> None:
        self._authentication = authentication
        self._ledger = ledger

    async def entries(self, request: web.Request) -> web.Response:
        """A page of entries; `cursor` is the page's before."""
        api_key = await self._authentication.key_of(request, SCOPE)
        cursor, limit = page_asked(request)
        page = await self._ledger.page(api_key, request.match_info["slug"], cursor, limit)
        return tagged(request, json_response(page, headers=_OWN))

    async def entry(self, request: web.Request) -> web.Response:
        """One entry with what the key may see of it."""
        api_key = await self._authentication.key_of(request, SCOPE)
        refuse_query(request)
        slug, identifier = request.match_info["slug"], request.match_info["entry"]
        value = await self._ledger.entry(api_key, slug, identifier)
        return tagged(request, json_response(value, headers=_OWN))
