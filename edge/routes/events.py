"""`/v1/events`: what happened to the caller's organization."""

import re
from typing import Final

from aiohttp import web

from edge.caller import caller_of
from edge.errors import ProblemError
from edge.events import decisions
from edge.events.decisions import Wanted
from edge.events.service import Events
from edge.http import WAIT_S_MAX, json_response, query_integer, refuse_query

_SUBJECT: Final = re.compile(r"[A-Za-z0-9_./:-]{1,255}")


class EventRoutes:
    """The handler."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def list(self, request: web.Request) -> web.Response:
        """A page of events, after at most `wait` seconds."""
        refuse_query(request, "cursor", "limit", "wait", "type", "subject")
        subject = request.query.get("subject")
        if subject is not None and not _SUBJECT.fullmatch(subject):
            raise ProblemError("query_not_accepted", "`subject` must be an id.", param="subject")
        wanted = Wanted(
            after=decisions.position_of(request.query.get("cursor")),
            types=decisions.patterns_of(request.query.get("type")),
            subject=subject,
            limit=query_integer(request, "limit", 50, 1, 100),
        )
        wait_s = query_integer(request, "wait", 0, 0, WAIT_S_MAX)
        page = await self._events.page(caller_of(request), wanted, wait_s)
        return json_response(page)
