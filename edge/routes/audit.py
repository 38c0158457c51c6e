"""`/v1/organizations/{organization}/audit-log`: for its owners and auditors."""

import asyncio
import re
from contextlib import aclosing
from datetime import datetime
from typing import Final

from aiohttp import web

from edge.audit.service import AuditLog
from edge.caller import ORGANIZATION
from edge.errors import ProblemError
from edge.http import json_response, query_integer, refuse_query, tagged
from edge.listing import LIMIT_DEFAULT, LIMIT_MAX, parts_of
from edge.resources import OWN

_FILTERS: Final = ("actor", "action", "resource")
_TIMES: Final = ("from", "to")
_FILTER: Final = re.compile(r"[!-~]{1,200}")
#: A reader who takes longer for a piece is given up: it holds a database connection.
_WRITE_S_MAX: Final = 30.0
_PIECE_BYTES: Final = 1 << 16


class AuditRoutes:
    """Handlers, behind the gate."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def list(self, request: web.Request) -> web.Response:
        """A page of records, newest first."""
        refuse_query(request, "cursor", "limit", *_FILTERS, *_TIMES)
        limit = query_integer(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        filters = {name: _text(request, name) for name in _FILTERS if name in request.query}
        times = (_time(request, "from"), _time(request, "to"))
        organization = request[ORGANIZATION].id
        page = await self._log.page(organization, _position(request), filters, times, limit)
        return tagged(request, json_response(page, headers=OWN))

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All records, each with the opening of its client where that is kept."""
        refuse_query(request)
        organization = request[ORGANIZATION]
        response = web.StreamResponse(
            headers={
                "Cache-Control": "private, no-store",
                "Vary": "Authorization",
                "Content-Type": "application/jsonl",
                "Content-Disposition": f'attachment; filename="audit-{organization.slug}.jsonl"',
            }
        )
        async with aclosing(self._log.copy(organization.id)) as lines:
            piece = await anext(lines)
            response.enable_chunked_encoding()
            await response.prepare(request)
            async for line in lines:
                piece += line
                if len(piece) >= _PIECE_BYTES:
                    async with asyncio.timeout(_WRITE_S_MAX):
                        await response.write(piece)
                    piece = b""
        await response.write(piece)
        await response.write_eof()
        return response


def _text(request: web.Request, name: str) -> str:
    value = request.query[name]
    if not _FILTER.fullmatch(value):
        raise ProblemError("query_not_accepted", f"`{name}` is malformed.", param=name)
    return value


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or len(text) > 40:
            raise ValueError(text)
        return moment.astimezone()
    except (ValueError, OverflowError) as error:
        detail = f"`{name}` is a time with an offset: 2026-05-01T00:00:00Z."
        raise ProblemError("query_not_accepted", detail, param=name) from error


def _position(request: web.Request) -> int | None:
    cursor = request.query.get("cursor")
    if cursor is None:
        return None
    _, (seq,) = parts_of(cursor, 2)
    if not seq.isdecimal() or len(seq) > 18:
        raise ProblemError("query_not_accepted", "`cursor` is malformed.", param="cursor")
    return int(seq)
