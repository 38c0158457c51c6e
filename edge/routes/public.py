"""`/v1/public/organizations/{slug}` and below: for anyone, and any web page."""

from typing import Final

from aiohttp import web

from edge.http import json_response, query_integer, refuse_query, tagged
from edge.public.service import PublicLedger

LIMIT_MAX: Final = 100
_LIMIT_DEFAULT: Final = 50
_YEAR_S: Final = 31_536_000
_SHARED: Final = {"Cache-Control": "public, max-age=5"}


def page_asked(request: web.Request) -> tuple[str | None, int]:
    """The page's cursor, if it has one, and how many entries it may have."""
    refuse_query(request, "cursor", "limit")
    limit = query_integer(request, "limit", _LIMIT_DEFAULT, 1, LIMIT_MAX)
    return request.query.get("cursor"), limit


def _kept(age_s_max: int, more: str = "") -> dict[str, str]:
    return {**_SHARED, "Cache-Control": f"public, max-age={age_s_max}{more}"}


class PublicRoutes:
    """Handlers without a key."""

    def __init__(self, ledger: PublicLedger) -> None:
        self._ledger = ledger

    async def organization(self, request: web.Request) -> web.Response:
        """Name, totals, and where the ledger is."""
        refuse_query(request)
        organization = await self._ledger.organization(request.match_info["slug"])
        figures = await self._ledger.figures(organization)
        return tagged(request, json_response(figures, headers=_SHARED))

    async def entries(self, request: web.Request) -> web.Response:
        """A page of entries; `cursor` is the page's before."""
        cursor, limit = page_asked(request)
        organization = await self._ledger.organization(request.match_info["slug"])
        page, age_s = await self._ledger.page(organization, cursor, limit)
        return tagged(request, json_response(page, headers=_kept(age_s)))

    async def entry(self, request: web.Request) -> web.Response:
        """What of one entry never changes."""
        refuse_query(request)
        organization = await self._ledger.organization(request.match_info["slug"])
        entry = await self._ledger.entry(organization, request.match_info["entry"])
        return tagged(request, json_response(entry, headers=_kept(_YEAR_S, ", immutable")))

    async def openings(self, request: web.Request) -> web.Response:
        """What is opened of one entry by now."""
        refuse_query(request)
        organization = await self._ledger.organization(request.match_info["slug"])
        value, age_s = await self._ledger.openings(organization, request.match_info["entry"])
        return tagged(request, json_response(value, headers=_kept(age_s)))
