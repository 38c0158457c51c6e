"""`/v1/public/organizations/{slug}` and below: for anyone, and any web page."""

import asyncio
from typing import Final

import structlog
from aiohttp import web

from edge import logs
from edge.http import json_response, query_integer, refuse_query, tagged
from edge.public.service import PublicLedger

LIMIT_MAX: Final = 100
_LIMIT_DEFAULT: Final = 50
_CHUNK_S_MAX: Final = 30.0
_YEAR_S: Final = 31_536_000
_SHARED: Final = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=5"}
_log = structlog.get_logger()


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

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The whole chain up to the newest checkpoint (ledger format, section 8)."""
        refuse_query(request, "since")
        since = query_integer(request, "since", 0, 0, (1 << 53) - 1)
        organization = await self._ledger.organization(request.match_info["slug"])
        line, count, size = await self._ledger.export_head(organization, since or None)
        response = web.StreamResponse(
            headers={
                **_SHARED,
                "Content-Type": "application/jsonl",
                "Content-Disposition": (
                    f'attachment; filename="{organization.slug}-ledger-{size}.jsonl"'
                ),
            }
        )
        await response.prepare(request)
        try:
            await response.write(line)
            async for lines in self._ledger.export_lines(organization, count):
                async with asyncio.timeout(_CHUNK_S_MAX):
                    await response.write(lines)
        except Exception as error:
            # The head is out: only a broken connection tells the reader that the rest is missing.
            _log.warning("export_broken", error=type(error).__name__, frames=logs.where(error))
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionAbortedError from error
        await response.write_eof()
        return response
