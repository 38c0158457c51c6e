"""`/v1/organizations/{organization}/payouts` and `/payout-settings`: for members' keys."""

import re
from typing import Final

from aiohttp import web

from edge import json_body
from edge.caller import ORGANIZATION
from edge.errors import ProblemError
from edge.http import begin, json_response, read_body, refuse_query, require_json, tagged
from edge.payouts.models import PayoutSettingsChange
from edge.payouts.service import PayoutBooks
from edge.routes.public import page_asked

_OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_PAYOUT: Final = re.compile(r"po_[A-Za-z0-9_]{1,250}")
_BODY_BYTES_MAX: Final = 4096


class PayoutRoutes:
    """Handlers; reading needs the scope `payouts:read`, changing settings `payouts:write`."""

    def __init__(self, books: PayoutBooks) -> None:
        self._books = books

    async def list(self, request: web.Request) -> web.Response:
        """A page of payouts, newest first."""
        organization = request[ORGANIZATION].id
        cursor, limit = page_asked(request)
        page = await self._books.page(organization, cursor, limit)
        return tagged(request, json_response(page, headers=_OWN))

    async def show(self, request: web.Request) -> web.Response:
        """One payout, with the sums that add up to it."""
        organization = request[ORGANIZATION].id
        refuse_query(request)
        value = await self._books.payout(organization, _payout_in(request))
        return tagged(request, json_response(value, headers=_OWN))

    async def items(self, request: web.Request) -> web.Response:
        """A page of the movements that a payout carries."""
        organization = request[ORGANIZATION].id
        cursor, limit = page_asked(request)
        page = await self._books.items(organization, _payout_in(request), cursor, limit)
        return tagged(request, json_response(page, headers=_OWN))

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """All of them, for spreadsheets."""
        organization = request[ORGANIZATION].id
        refuse_query(request)
        payout = await self._books.split_payout(organization, _payout_in(request))
        name = f"payout-{payout['id']}.csv"
        response = web.StreamResponse(
            headers={
                **_OWN,
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": f'attachment; filename="{name}"',
            }
        )
        if not await begin(request, response):
            return response
        async for text in self._books.csv(organization, payout):
            await response.write(text.encode())
        await response.write_eof()
        return response

    async def settings(self, request: web.Request) -> web.Response:
        """Who pays the organization out, when, and why not at the moment."""
        organization = request[ORGANIZATION].id
        refuse_query(request)
        return tagged(
            request, json_response(await self._books.settings(organization), headers=_OWN)
        )

    async def change_settings(self, request: web.Request) -> web.Response:
        """Change some of it."""
        organization = request[ORGANIZATION].id
        refuse_query(request)
        require_json(request, is_patch=True)
        body = json_body.parse(await read_body(request, _BODY_BYTES_MAX))
        change = json_body.validate(PayoutSettingsChange, body)
        value = await self._books.change_settings(organization, change)
        return json_response(value, headers=_OWN)


def _payout_in(request: web.Request) -> str:
    identifier = request.match_info["payout"]
    if not _PAYOUT.fullmatch(identifier):
        raise ProblemError("payout_not_found")
    return identifier
