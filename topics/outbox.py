"""Queue messages for Kafka inside the caller's transaction; the relay publishes them after it."""

import json
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy

from contracts.message import BodyT, Envelope
from topics import codec
from topics.topic import Topic

# Text, because asyncpg's classes take no parameters outside the type checker.
AnyConnection: TypeAlias = "Connection[Any] | PoolConnectionProxy[Any]"

QUEUE: Final = """
    WITH queued AS (
        INSERT INTO messages.outbox (topic, partition, key, headers, value)
        SELECT * FROM unnest($1::text[], $2::integer[], $3::bytea[], $4::text[], $5::bytea[])
    )
    SELECT pg_notify('outbox', '')
"""


class NotASenderError(RuntimeError):
    """This process may not send to that topic; the registry lists who may."""


def prepare(
    sender: str, topic: Topic[BodyT], message: Envelope[BodyT], *, trace: str | None = None
) -> codec.Record:
    """The record of a message; NotASenderError unless `sender` may send to `topic`.

    `trace` is for those who prepare messages of several requests at once: see `topics.tracing`.
    """
    if sender not in topic.senders:
        raise NotASenderError(f"{sender} is not among the senders of {topic.name}")
    return codec.encode(topic, message, trace)


async def queue(connection: AnyConnection, records: Iterable[codec.Record]) -> None:
    """Insert records, in order, as the transaction's last statement.

    Last, because a row's position is taken at the insert and the relay reads by position: the
    shorter the time from insert to commit, the fewer rows are overtaken.
    """
    rows = list(records)
    if not rows:
        return
    await connection.execute(
        QUEUE,
        [row.topic for row in rows],
        [row.partition for row in rows],
        [row.key for row in rows],
        [spell_headers(row.headers) for row in rows],
        [row.value for row in rows],
    )


def spell_headers(headers: codec.Headers) -> str:
    """Headers as a JSON array of pairs; our own attributes are ASCII."""
    return json.dumps([[name, value.decode("latin-1")] for name, value in headers])


def parse_headers(text: str) -> codec.Headers:
    """The inverse of `spell_headers`."""
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(text))
