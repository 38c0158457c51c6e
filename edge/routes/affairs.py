"""An organization's affairs as its members and listeners see them: which handler answers where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from edge.routes.events import EventRoutes

Row = tuple[str, str, Callable[[web.Request], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affairs:
    """Handlers by subject."""

    events: EventRoutes

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (("GET", "/v1/events", self.events.list),)
