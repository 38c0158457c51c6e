"""`.../ledger/export`: copies of a ledger, for anyone or for keys that may see what is sealed.

`Content-Location` names the copy that is being sent; with `offset` it continues where the
connection broke. Source: RFC 6266 (file names), RFC 9110 (Content-Location).
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from amply_verify.kinds import KINDS as ENTRY_KINDS
from edge import logs
from edge.caller import ORGANIZATION
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.exports.service import Asked, Exports, Pinned
from edge.http import begin, json_response, query_integer, refuse_query
from edge.public.service import PublicLedger
from ledger.entry import parse_time
from ledger.export_copy import FORMATS, KINDS, FormatName

SCOPE: Final = "exports"
INTEGER_MAX: Final = (1 << 53) - 1
_CHUNK_S_MAX: Final = 30.0
#: So much must leave within that time: a slower reader is given up, one of 3 kB/s is not.
_CHUNK_BYTES: Final = 1 << 16
_PUBLIC: Final = {"Cache-Control": "public, max-age=5"}
_PRIVATE: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
_PINNED: Final = ("format", "size", "at", "since", "kind", "bom")
#: What would end a name or lead out of a folder; everything else is quoted and arrives.
_UNNAMEABLE: Final = re.compile(r"[\x00-\x1f\x7f/\\]")
_log = structlog.get_logger()


class ExportRoutes:
    """Handlers for anyone and for members."""

    def __init__(self, ledger: PublicLedger, exports: Exports) -> None:
        self._ledger = ledger
        self._exports = exports

    async def public(self, request: web.Request) -> web.StreamResponse:
        """A copy with what is public by now."""
        return await self._send(request, await self._public(request, "offset"), _PUBLIC)

    async def public_manifest(self, request: web.Request) -> web.Response:
        """What such a copy is."""
        pinned = await self._public(request)
        return json_response(await self._exports.manifest(pinned), headers=_PUBLIC)

    async def member(self, request: web.Request) -> web.StreamResponse:
        """A copy with all money and details, and no donor."""
        return await self._send(request, await self._member(request, "offset"), _PRIVATE)

    async def member_manifest(self, request: web.Request) -> web.Response:
        """What such a copy is."""
        pinned = await self._member(request)
        return json_response(await self._exports.manifest(pinned), headers=_PRIVATE)

    async def _public(self, request: web.Request, *more: str) -> Pinned:
        asked = _asked(request, *more)
        organization = await self._ledger.organization(request.match_info["slug"])
        return await self._exports.pin(organization, asked, is_member=False)

    async def _member(self, request: web.Request, *more: str) -> Pinned:
        asked = _asked(request, *more)
        return await self._exports.pin(request[ORGANIZATION], asked, is_member=True)

    async def _send(
        self, request: web.Request, pinned: Pinned, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        offset = query_integer(request, "offset", 0, 0, INTEGER_MAX)
        if offset and (pinned.asked.size is None or pinned.asked.at is None):
            raise ProblemError(
                "query_not_accepted",
                "`offset` continues one copy: send the query of its Content-Location too.",
                param="offset",
            )
        kind = KINDS[pinned.asked.format]
        response = web.StreamResponse(
            headers={
                **headers,
                "Content-Type": kind.media_type,
                "Content-Disposition": disposition(
                    pinned.organization, pinned.subject.size, kind.extension
                ),
                "Content-Location": f"{request.path}?{pinned.query()}",
                "Amply-Entries": str(pinned.subject.entries),
            }
        )
        async with aclosing(self._exports.stream(pinned, offset)) as chunks:
            # While nothing is sent, an error is a problem like any other.
            first = await anext(chunks, b"")
            if not await begin(request, response):
                return response
            try:
                await _write(response, first)
                async for data in chunks:
                    await _write(response, data)
            except Exception as error:
                # The head is out: only a broken connection tells that the rest is missing.
                _log.warning("export_broken", error=type(error).__name__, frames=logs.where(error))
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionAbortedError from error
        await response.write_eof()
        return response


def disposition(organization: Organization, size: int, extension: str) -> str:
    """A download's name: the slug for old readers, the organization's own name for the others."""
    end = f"-ledger-{size}.{extension}"
    name = quote(_UNNAMEABLE.sub("-", organization.name) + end, safe="")
    return f"attachment; filename=\"{organization.slug}{end}\"; filename*=UTF-8''{name}"


async def _write(response: web.StreamResponse, data: bytes) -> None:
    for start in range(0, len(data), _CHUNK_BYTES):
        async with asyncio.timeout(_CHUNK_S_MAX):
            await response.write(data[start : start + _CHUNK_BYTES])
    await asyncio.sleep(0)  # With a fast reader `write` never waits: others get a turn here.


def _asked(request: web.Request, *more: str) -> Asked:
    refuse_query(request, *_PINNED, *more)
    query = request.query
    format_name = _format(query.get("format", "jsonl"))
    bom = query.get("bom")
    if bom is not None and (bom != "true" or format_name != "csv"):
        raise ProblemError(
            "query_not_accepted", "`bom` is `true`, for CSV alone, or left out.", param="bom"
        )
    kind = query.get("kind")
    if kind is not None and (kind not in ENTRY_KINDS or format_name != "csv"):
        raise ProblemError(
            "query_not_accepted", "`kind` is a kind of entry, for CSV alone.", param="kind"
        )
    if "since" in query and format_name != "jsonl":
        raise ProblemError("query_not_accepted", "`since` is for JSONL alone.", param="since")
    at = query.get("at")
    if at is not None and not _is_time(at):
        raise ProblemError(
            "query_not_accepted", "`at` has the form 2026-01-31T09:30:00.000000Z.", param="at"
        )
    return Asked(
        format=format_name,
        since=query_integer(request, "since", 0, 0, INTEGER_MAX) or None,
        size=query_integer(request, "size", 0, 1, INTEGER_MAX) or None,
        at=at,
        with_byte_order_mark=bom is not None,
        kind=kind,
    )


def _format(text: str) -> FormatName:
    for name in FORMATS:
        if text == name:
            return name
    raise ProblemError(
        "query_not_accepted", f"`format` is one of {', '.join(FORMATS)}.", param="format"
    )


def _is_time(text: str) -> bool:
    try:
        return len(text) == 27 and text.isascii() and bool(parse_time(text))
    except ValueError:
        return False
