"""An organization's affairs as its members and listeners see them: which handler answers where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from edge.routes.audit import AuditRoutes
from edge.routes.events import EventRoutes

_MEMBER: Final = "/v1/organizations/{organization}"

Row = tuple[str, str, Callable[[web.Request], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affairs:
    """Handlers by subject."""

    audit: AuditRoutes
    events: EventRoutes

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (
            ("GET", "/v1/events", self.events.list),
            ("GET", f"{_MEMBER}/audit-log", self.audit.list),
            ("GET", f"{_MEMBER}/audit-log/export", self.audit.export),
        )
