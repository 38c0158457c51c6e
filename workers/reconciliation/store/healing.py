"""Events that were swept, objects that are stuck, requests for runs, figures of what is open."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from topics.outbox import AnyConnection
from workers.gateways.stripe_listing import UndeliveredEvent
from workers.reconciliation.store.reading import Stuck
from workers.reconciliation.store.runs import LOOK_DELAYS

CURSOR: Final = """
    SELECT max(created) FROM reconciliation.swept_events WHERE account IS NOT DISTINCT FROM $1
"""
SWEEP: Final = """
    INSERT INTO reconciliation.swept_events
        (event, account, organization, event_type, object, disposition, created)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (event) DO NOTHING RETURNING event
"""
# What is no longer stuck is forgotten; of the rest those that are due are looked at.
UNSTUCK: Final = """
    DELETE FROM reconciliation.stuck AS s WHERE NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::text[]) AS u (object, kind)
        WHERE u.object = s.object AND u.kind = s.kind)
"""
STUCK: Final = """
    INSERT INTO reconciliation.stuck (organization, account, object, kind, since)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    ON CONFLICT (object, kind, organization) DO NOTHING
"""
TAKE_STUCK: Final = """
    UPDATE reconciliation.stuck SET looks = looks + 1,
        look_after = clock_timestamp() + least($1::interval * power(2, least(looks, 16)), $2)
    WHERE look_after <= clock_timestamp()
    RETURNING object, kind
"""
TAKE_REQUEST: Final = """
    UPDATE reconciliation.requests SET taken_at = clock_timestamp() WHERE id = (
        SELECT id FROM reconciliation.requests WHERE taken_at IS NULL
        ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, organization
"""
FINISH_REQUEST: Final = """
    WITH finished AS (
        UPDATE reconciliation.requests SET finished_at = clock_timestamp(), runs = $2 WHERE id = $1
        RETURNING id
    )
    SELECT pg_notify('reconciliation_finished', id::text) FROM finished
"""
#: A request that a process took and did not finish is taken again by the next one.
RELEASE_REQUESTS: Final = """
    UPDATE reconciliation.requests SET taken_at = NULL
    WHERE taken_at IS NOT NULL AND finished_at IS NULL
"""
TIDY: Final = (
    "DELETE FROM reconciliation.requests WHERE requested_at < now() - interval '30 days'",
    "DELETE FROM reconciliation.swept_events WHERE created < now() - interval '60 days'",
    """
    DELETE FROM reconciliation.runs
    WHERE finished_at < now() - CASE WHEN since IS NULL THEN interval '400 days'
        ELSE interval '1 day' END
    """,
)
OPEN_BY_CLASS: Final = """
    SELECT class, count(*) AS open,
        extract(epoch FROM clock_timestamp() - min(opened_at))::float8 AS age_s
    FROM reconciliation.differences WHERE healed_at IS NULL GROUP BY class
"""
STUCK_BY_KIND: Final = """
    SELECT kind, count(*) AS open,
        extract(epoch FROM clock_timestamp() - min(since))::float8 AS age_s
    FROM reconciliation.stuck GROUP BY kind
"""
OLDEST_WHOLE: Final = """
    SELECT extract(epoch FROM min(coalesce(whole, to_timestamp(0))))::float8 FROM (
        SELECT max(finished_at) FILTER (
                WHERE since IS NULL AND outcome IN ('agreed', 'differs')) AS whole,
            (array_agg(outcome ORDER BY id DESC))[1] AS newest
        FROM reconciliation.runs GROUP BY account
    ) AS accounts WHERE newest <> 'unreachable'
"""


async def cursor(connection: AnyConnection, account: str | None) -> datetime | None:
    """When the newest event was made that was swept of an account (None: the platform's own)."""
    found: datetime | None = await connection.fetchval(CURSOR, account)
    return found


async def note_swept(
    connection: AnyConnection,
    event: UndeliveredEvent,
    organization: str | None,
    disposition: str,
) -> bool:
    """Keep that an event was swept; whether that is news."""
    return bool(
        await connection.fetchval(
            *(SWEEP, event.id, event.account, organization, event.event_type, event.object),
            *(disposition, event.created),
        )
    )


async def note_stuck(
    connection: AnyConnection, found: Sequence[tuple[str, Stuck]]
) -> set[tuple[str, str]]:
    """Keep what is stuck (each under its name) and forget what no longer is; what is due now."""
    names = [name for name, _ in found]
    ones = [one for _, one in found]
    kinds = [one.kind for one in ones]
    await connection.execute(UNSTUCK, names, kinds)
    await connection.execute(
        *(STUCK, [one.organization for one in ones], [one.account for one in ones], names, kinds),
        [one.since for one in ones],
    )
    rows = await connection.fetch(TAKE_STUCK, *LOOK_DELAYS)
    return {(row["object"], row["kind"]) for row in rows}


async def take_request(connection: AnyConnection) -> tuple[UUID, str | None] | None:
    """The oldest request that nobody took; its id and organization."""
    row = await connection.fetchrow(TAKE_REQUEST)
    return None if row is None else (row["id"], row["organization"])


async def finish_request(connection: AnyConnection, request: UUID, runs: Sequence[int]) -> None:
    """Tell whoever waits which runs were made."""
    await connection.execute(FINISH_REQUEST, request, list(runs))


async def release_requests(connection: AnyConnection) -> None:
    """Let requests be taken again that an earlier process left."""
    await connection.execute(RELEASE_REQUESTS)


async def tidy(connection: AnyConnection) -> None:
    """Delete what nobody needs any more."""
    for statement in TIDY:
        await connection.execute(statement)


async def open_by_class(connection: AnyConnection) -> list[tuple[str, int, float]]:
    """Open differences: class, how many, age of the oldest in seconds."""
    return await _counted(connection, OPEN_BY_CLASS)


async def stuck_by_kind(connection: AnyConnection) -> list[tuple[str, int, float]]:
    """Stuck objects: kind, how many, age of the oldest in seconds."""
    return await _counted(connection, STUCK_BY_KIND)


async def oldest_whole(connection: AnyConnection) -> float | None:
    """When the account that waits longest was compared whole, Unix time; 0: never.

    Those that cannot be reached do not count; None when there is no other.
    """
    found: float | None = await connection.fetchval(OLDEST_WHOLE)
    return found


async def _counted(connection: AnyConnection, sql: str) -> list[tuple[str, int, float]]:
    rows: list[Any] = await connection.fetch(sql)
    return [(row[0], row["open"], row["age_s"]) for row in rows]
