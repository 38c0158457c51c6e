"""Messages that a worker set aside, with their reason and all that is needed to handle them again.

"parked": the outside was not able to, the worker tries again by itself, in order; later messages of
the key wait behind. "dead": the message itself is at fault, a person decides; its key goes on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from contracts.message import Envelope
from topics.delivery import Delivery, Headers
from topics.outbox import AnyConnection

Disposition = Literal["parked", "dead"]

PUT: Final = """
    INSERT INTO messages.set_aside (worker, disposition, topic, kafka_partition, kafka_offset,
        message_id, organization, key, headers, value, code, reason, next_attempt_at)
    SELECT $1, disposition, topic, kafka_partition, kafka_offset, message_id, organization, key,
        headers, value, code, reason,
        CASE disposition WHEN 'parked' THEN clock_timestamp() + make_interval(secs => delay_s) END
    FROM unnest($2::text[], $3::text[], $4::integer[], $5::bigint[], $6::uuid[], $7::text[],
        $8::bytea[], $9::text[], $10::bytea[], $11::text[], $12::text[], $13::float8[])
        AS t (disposition, topic, kafka_partition, kafka_offset, message_id, organization, key,
            headers, value, code, reason, delay_s)
    ON CONFLICT ON CONSTRAINT set_aside_once DO NOTHING
"""
PARKED_KEYS: Final = """
    SELECT DISTINCT topic, key FROM messages.set_aside
    WHERE worker = $1 AND disposition = 'parked'
        AND (topic, key) IN (SELECT * FROM unnest($2::text[], $3::bytea[]))
"""
# The claim moves the next attempt away: a process that dies during an attempt has not lost the
# message, and a second process finds it not due.
CLAIM: Final = """
    UPDATE messages.set_aside AS claimed
    SET attempts = attempts + 1,
        next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
    FROM (
        SELECT position FROM messages.set_aside AS head
        WHERE worker = $1 AND disposition = 'parked' AND next_attempt_at <= clock_timestamp()
            AND NOT EXISTS (
                SELECT FROM messages.set_aside AS earlier
                WHERE earlier.worker = head.worker AND earlier.topic = head.topic
                    AND earlier.key = head.key AND earlier.disposition = 'parked'
                    AND earlier.position < head.position)
        ORDER BY position LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE claimed.position = due.position
    RETURNING claimed.*
"""
REMOVE: Final = "DELETE FROM messages.set_aside WHERE position = $1"
POSTPONE: Final = """
    UPDATE messages.set_aside SET code = $2, reason = $3,
        next_attempt_at = clock_timestamp() + make_interval(secs => $4::float8)
    WHERE position = $1 AND disposition = 'parked'
"""
BURY: Final = """
    UPDATE messages.set_aside
    SET disposition = 'dead', next_attempt_at = NULL, code = $2, reason = $3
    WHERE position = $1
"""
COUNT: Final = """
    SELECT disposition, count(*) AS number FROM messages.set_aside WHERE worker = $1
    GROUP BY disposition
"""
LIST: Final = """
    SELECT * FROM messages.set_aside
    WHERE ($1::text IS NULL OR worker = $1) AND ($2::text IS NULL OR disposition = $2)
        AND position > $3
    ORDER BY position LIMIT $4
"""
INSPECT: Final = "SELECT * FROM messages.set_aside WHERE position = $1"
RELEASE: Final = """
    UPDATE messages.set_aside
    SET disposition = 'parked', attempts = 0, next_attempt_at = clock_timestamp()
    WHERE position = ANY($1::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message is set aside. `reason` quotes nothing of the message's body."""

    disposition: Disposition
    code: str
    reason: str
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row of the table: a delivery, what was found out about it, and when it is tried again."""

    position: int
    worker: str
    disposition: Disposition
    delivery: Delivery
    message_id: UUID | None
    organization: str | None
    code: str
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    set_aside_at: datetime


async def put(
    connection: AnyConnection,
    worker: str,
    rows: Sequence[tuple[Delivery, Envelope[Any] | None, Verdict]],
) -> None:
    """Set deliveries aside, in order. One that lies there already stays as it is."""
    if not rows:
        return
    await connection.execute(
        PUT,
        worker,
        [verdict.disposition for _, _, verdict in rows],
        [delivery.topic for delivery, _, _ in rows],
        [delivery.partition for delivery, _, _ in rows],
        [delivery.offset for delivery, _, _ in rows],
        [message.id if message else None for _, message, _ in rows],
        [message.organization if message else None for _, message, _ in rows],
        [delivery.key for delivery, _, _ in rows],
        [_spell_headers(delivery.headers) for delivery, _, _ in rows],
        [delivery.value for delivery, _, _ in rows],
        [verdict.code for _, _, verdict in rows],
        [verdict.reason for _, _, verdict in rows],
        [verdict.delay_s for _, _, verdict in rows],
    )


async def parked_keys(
    connection: AnyConnection, worker: str, keys: Iterable[tuple[str, bytes]]
) -> set[tuple[str, bytes]]:
    """Those (topic, key) that have parked messages: theirs must wait behind."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return set()
    topics = [topic for topic, _ in wanted]
    rows = await connection.fetch(PARKED_KEYS, worker, topics, [key for _, key in wanted])
    return {(row["topic"], row["key"]) for row in rows}


async def claim_due(
    connection: AnyConnection, worker: str, *, limit: int, lease_s: float
) -> list[SetAside]:
    """The first parked message of each key that is due, not due again for `lease_s` seconds."""
    rows = await connection.fetch(CLAIM, worker, limit, lease_s)
    return [_read(row) for row in rows]


async def remove(connection: AnyConnection, position: int) -> None:
    """Take out a message that was handled, in the transaction of its effects."""
    await connection.execute(REMOVE, position)


async def postpone(connection: AnyConnection, position: int, verdict: Verdict) -> None:
    """Try a parked message again after `verdict.delay_s` seconds."""
    await connection.execute(POSTPONE, position, verdict.code, verdict.reason, verdict.delay_s)


async def bury(connection: AnyConnection, position: int, verdict: Verdict) -> None:
    """Turn a parked message into a dead one: its key goes on."""
    await connection.execute(BURY, position, verdict.code, verdict.reason)


async def count(connection: AnyConnection, worker: str) -> dict[str, int]:
    """How many messages of a worker lie here, by disposition."""
    rows = await connection.fetch(COUNT, worker)
    return {"parked": 0, "dead": 0} | {row["disposition"]: row["number"] for row in rows}


async def find(
    connection: AnyConnection,
    *,
    worker: str | None = None,
    disposition: Disposition | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[SetAside]:
    """What lies here, oldest first, at most `limit` rows after the position `after`."""
    rows = await connection.fetch(LIST, worker, disposition, after, limit)
    return [_read(row) for row in rows]


async def inspect(connection: AnyConnection, position: int) -> SetAside | None:
    """One row, or None when there is none at this position."""
    row = await connection.fetchrow(INSPECT, position)
    return _read(row) if row else None


async def release(connection: AnyConnection, positions: Iterable[int]) -> int:
    """Have messages handled again now, in order; the number of rows that this concerned."""
    status: str = await connection.execute(RELEASE, list(positions))
    return int(status.split()[-1])


def _read(row: Any) -> SetAside:
    delivery = Delivery(
        row["topic"],
        row["kafka_partition"],
        row["kafka_offset"],
        row["key"],
        _parse_headers(row["headers"]),
        row["value"],
    )
    names = ("position", "worker", "disposition", "message_id", "organization", "code", "reason")
    times = ("attempts", "next_attempt_at", "set_aside_at")
    return SetAside(delivery=delivery, **{name: row[name] for name in names + times})


def _spell_headers(headers: Headers) -> str:
    # A stranger's header may be null, and a name may hold what JSON text in PostgreSQL cannot.
    pairs = [(name.encode("utf-8", "replace").decode(), _text(value)) for name, value in headers]
    return orjson.dumps(pairs).decode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _parse_headers(text: str) -> Headers:
    return tuple(
        (name, None if value is None else value.encode("latin-1"))
        for name, value in orjson.loads(text)
    )
