"""Events through the read views, by position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

RETENTION_DAYS: Final = 30
_TIDY_AT_ONCE: Final = 1_000

LAST: Final = """
    SELECT coalesce((SELECT last FROM read.event_positions WHERE organization = $1), 0)
"""
FIRST: Final = "SELECT min(position) FROM read.events WHERE organization = $1"
EVENTS: Final = """
    SELECT position, organization, id, type, subject, time, object FROM read.events
    WHERE organization = $1 AND position > $2 AND position <= $6
        AND ($3::text[] IS NULL OR type LIKE ANY ($3)) AND ($4::text IS NULL OR subject = $4)
        AND NOT type LIKE ANY ($7)
    ORDER BY position LIMIT $5
"""
TIDY: Final = "SELECT events.tidy($1, $2)"


@dataclass(frozen=True, slots=True)
class Seen:
    """`first` and `last` positions that are there (0: none ever), and the events asked for."""

    first: int
    last: int
    events: Sequence[Record]


async def read(
    connection: AnyConnection,
    organization: str,
    after: int,
    types: Sequence[str] | None,
    subject: str | None,
    most: int,
    hidden: Sequence[str] = (),
) -> Seen:
    """Events behind a position, oldest first; `types` and `hidden` are patterns of LIKE.

    The end of the order is read before the events: whatever is at or before it was committed with
    it, so that a reader who goes on from there skips nothing.
    """
    last: int = await connection.fetchval(LAST, organization)
    first: int | None = await connection.fetchval(FIRST, organization)
    rows = await connection.fetch(EVENTS, organization, after, types, subject, most, last, hidden)
    return Seen(last + 1 if first is None else first, last, rows)


async def last_position(connection: AnyConnection, organization: str) -> int:
    """The newest position; 0 when there never was an event."""
    position: int = await connection.fetchval(LAST, organization)
    return position


async def tidy(connection: AnyConnection) -> int:
    """Delete events past retention, a few; how many those were."""
    deleted: int = await connection.fetchval(TIDY, RETENTION_DAYS, _TIDY_AT_ONCE)
    return deleted
