"""Lists in pages: which part is asked for, and how the API spells it.

A cursor is opaque and names the last row of the page before, so that a page is stable while rows
are added; the order is that of a time and an id. No list tells how many there are.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from aiohttp import web

from edge.errors import ProblemError
from edge.http import query_integer, refuse_query

LIMIT_MAX: Final = 100
LIMIT_DEFAULT: Final = 50


#: The query parameters that a route knows, and what each may be.
Filters = Mapping[str, Collection[str] | re.Pattern[str]]


class Columns(Protocol):
    """A row of the database, or a mapping: its values by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...


Row = TypeVar("Row", bound=Columns)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: at most `limit` rows behind the row that `after` names.

    `after` holds the time and the id of the last row of the page before. `filters` holds what the
    query says of those that the route knows.
    """

    limit: int
    after: tuple[datetime, str] | None
    filters: Mapping[str, str]

    @property
    def rows_max(self) -> int:
        """How many rows to fetch: one more tells that there is another page."""
        return self.limit + 1

    @property
    def after_or_nulls(self) -> tuple[datetime | None, str | None]:
        """Two arguments for `$n::timestamptz IS NULL OR (created_at, id) < ($n, $m)`."""
        return self.after or (None, None)

    def of(
        self,
        rows: Sequence[Row],
        spell: Callable[[Row], Mapping[str, Any]],
        time: str = "created_at",
    ) -> dict[str, Any]:
        """The page that these rows make, in the order of (`time`, `id`)."""
        following = None
        if len(rows) > self.limit:
            last = rows[self.limit - 1]
            following = cursor_of(last[time].astimezone(UTC).isoformat(), last["id"])
        return listing([spell(row) for row in rows[: self.limit]], following)


def read_page(request: web.Request, filters: Filters | None = None) -> Page:
    """The page a request asks for; ProblemError 422 for a parameter or value that is not known.

    `filters` maps the query parameters that the route knows to what they may be.
    """
    known = filters or {}
    refuse_query(request, "cursor", "limit", *known)
    limit = query_integer(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
    after = None
    if (cursor := request.query.get("cursor")) is not None:
        moment, (identifier,) = parts_of(cursor, 2)
        after = moment, identifier
    asked = {name: request.query[name] for name in known if name in request.query}
    for name, value in asked.items():
        allowed = known[name]
        if isinstance(allowed, re.Pattern):
            if not allowed.fullmatch(value) or not value.isprintable():
                raise ProblemError("query_not_accepted", f"`{name}` is malformed.", param=name)
        elif value not in allowed:
            detail = f"`{name}` is one of {', '.join(sorted(allowed))}."
            raise ProblemError("query_not_accepted", detail, param=name)
    return Page(limit, after, asked)


def listing(data: Sequence[Mapping[str, Any]], cursor: str | None) -> dict[str, Any]:
    """A page of a list; with a cursor there is another one."""
    return {
        "object": "list",
        "has_more": cursor is not None,
        "next_cursor": cursor,
        "data": list(data),
    }


def cursor_of(*parts: str) -> str:
    """An opaque text that names the last row of a page."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def parts_of(cursor: str, count: int) -> tuple[datetime, tuple[str, ...]]:
    """The inverse, the first part as a time; ProblemError 422 for any other text."""
    try:
        spelled = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        first, *rest = spelled.split("\n")
        moment = datetime.fromisoformat(first)
        if len(rest) != count - 1 or moment.tzinfo is None or "\0" in spelled:
            raise ValueError(cursor)
    except (binascii.Error, ValueError) as error:
        raise ProblemError(
            "query_not_accepted", "`cursor` must be the next_cursor of a page.", param="cursor"
        ) from error
    return moment, tuple(rest)
