"""What a reader of events asks for, and the page that it gets. Pure: nothing looked up."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from asyncpg import Record

from contracts.events import EVENT_TYPES
from edge.authorization import Question
from edge.caller import Caller
from edge.errors import ProblemError
from edge.events.store import Seen
from edge.times import spell_time

_CURSOR: Final = re.compile(r"pos_(0|[1-9][0-9]{0,17})")
LATEST: Final = "latest"
_TYPES_MAX: Final = 20
#: The scope and the permission that whoever may see events needs beside, to see those of a kind: as
#: their routes ask for.
GUARDED: Final[Mapping[str, tuple[str, str]]] = {
    "api_key": ("api_keys:read", "manage_api_keys"),
    "collector": ("collectors:read", "manage_collectors"),
    "invitation": ("members:read", "manage_members"),
    "member": ("members:read", "view_members"),
}
_NOUNS: Final = frozenset(name.partition(".")[0] for name in EVENT_TYPES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`types` as patterns of SQL's LIKE, None for all; `after` None: from the newest on."""

    after: int | None
    types: tuple[str, ...] | None
    subject: str | None
    limit: int


def position_of(cursor: str | None) -> int | None:
    """The position behind which to read: 0 without a cursor, None for `latest`."""
    if cursor is None:
        return 0
    if cursor == LATEST:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise ProblemError(
            "query_not_accepted",
            "`cursor` must be the next_cursor of a page, or `latest`.",
            param="cursor",
        )
    return int(match[1])


def cursor_of(position: int) -> str:
    """How a position is told."""
    return f"pos_{position}"


def patterns_of(types: str | None) -> tuple[str, ...] | None:
    """`donation.created,payout.*` as patterns; ProblemError 422 for types that there are not."""
    if types is None:
        return None
    names = types.split(",")
    if len(names) > _TYPES_MAX:
        raise _unknown(f"at most {_TYPES_MAX} types")
    for name in names:
        noun, _, verb = name.partition(".")
        if name not in EVENT_TYPES and not (verb == "*" and noun in _NOUNS):
            raise _unknown("types of events, or `donation.*` for all of a kind, with commas")
    return tuple(map(_pattern, names))


def questions(caller: Caller) -> dict[str, Question]:
    """What SpiceDB is asked before events of each guarded kind are shown to somebody."""
    resource = f"organization:{caller.organization}"
    return {
        noun: Question(resource, permission, caller.subject)
        for noun, (scope, permission) in GUARDED.items()
        if scope in caller.scopes
    }


def hidden(visible: Collection[str]) -> tuple[str, ...]:
    """Patterns of the events that are not shown to whoever may see these guarded kinds only."""
    return tuple(_pattern(f"{noun}.*") for noun in GUARDED if noun not in visible)


def _pattern(name: str) -> str:
    return name.replace("_", r"\_").replace("*", "%")


def _unknown(what: str) -> ProblemError:
    return ProblemError("query_not_accepted", f"`type` must name {what}.", param="type")


def page(seen: Seen, wanted: Wanted, after: int) -> dict[str, Any]:
    """The page behind `after`; ProblemError 410 when what came next is not kept any more."""
    if 0 < after < seen.first - 1:
        raise ProblemError("cursor_expired")
    if after > seen.last:
        raise ProblemError(
            "query_not_accepted", "`cursor` is of another organization.", param="cursor"
        )
    rows, has_more = seen.events[: wanted.limit], len(seen.events) > wanted.limit
    end = rows[-1]["position"] if has_more else seen.last
    return {
        "object": "list",
        "data": [event(row) for row in rows],
        "has_more": has_more,
        "next_cursor": cursor_of(end),
    }


def event(row: Mapping[str, Any] | Record) -> dict[str, Any]:
    """One event."""
    return {
        "id": row["id"],
        "object": "event",
        "type": row["type"],
        "time": spell_time(row["time"]),
        "organization": row["organization"],
        "subject": row["subject"],
        "data": {"object": orjson.loads(row["object"])},
    }


def is_worth_telling(page_: Mapping[str, Any]) -> bool:
    """Whether somebody who waits is answered: there is an event."""
    data: Sequence[Any] = page_["data"]
    return bool(data)
