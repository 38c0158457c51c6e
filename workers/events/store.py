"""Events in PostgreSQL, each at the next position of its organization.

The organization's row in `events.positions` is locked until the commit, so positions are given in
the order of commits: a reader who saw a position has seen all before it, and one that was rolled
back was never given.
"""

from collections.abc import Sequence
from typing import Final

import orjson

from topics.outbox import AnyConnection
from workers.events.decisions import Event, RefusedEntry

# An id that is there already leaves a gap in positions, which nobody counts.
APPEND: Final = """
    WITH given AS (
        SELECT *, row_number() OVER (PARTITION BY organization ORDER BY place) AS number
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
            WITH ORDINALITY AS e (organization, id, type, subject, time, object, place)
    ), held AS (
        INSERT INTO events.positions AS p (organization, last)
        SELECT organization, count(*) FROM given GROUP BY organization ORDER BY organization
        ON CONFLICT (organization) DO UPDATE SET last = p.last + excluded.last
        RETURNING organization, last
    ), appended AS (
        INSERT INTO events.events (organization, id, type, subject, time, object, position)
        SELECT g.organization, g.id, g.type, g.subject, g.time, g.object,
            h.last - count(*) OVER (PARTITION BY g.organization) + g.number
        FROM given AS g JOIN held AS h USING (organization)
        ON CONFLICT (id, organization) DO NOTHING
    )
    SELECT count(pg_notify('events', organization)) FROM held
"""
KEEP_REFUSED: Final = """
    WITH kept AS (
        INSERT INTO events.refused_entries (entry_id, organization, code, reason, refused_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        ON CONFLICT DO NOTHING RETURNING entry_id
    )
    SELECT count(pg_notify('entries', entry_id)) FROM kept
"""


async def append(connection: AnyConnection, events: Sequence[Event]) -> None:
    """Append events, of which none has an id twice, sorted by organization."""
    if not events:
        return
    await connection.execute(
        APPEND,
        [event.organization for event in events],
        [event.id for event in events],
        [event.type for event in events],
        [event.subject for event in events],
        [event.time for event in events],
        [orjson.dumps(event.object).decode() for event in events],
    )


async def keep_refused(connection: AnyConnection, refused: Sequence[RefusedEntry]) -> None:
    """Keep why entries were refused; wake who waits for them."""
    if not refused:
        return
    await connection.execute(
        KEEP_REFUSED,
        [each.entry_id for each in refused],
        [each.organization for each in refused],
        [each.code for each in refused],
        [each.reason for each in refused],
        [each.time for each in refused],
    )
