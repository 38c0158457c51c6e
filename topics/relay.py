"""The relay: reads the outbox in order, publishes, deletes what Kafka acknowledged.

One per database: an advisory lock on the very connection that reads and deletes, so that a relay
which lost the lock can do neither. At least once: a crash between acknowledgement and deletion
publishes again, and readers drop the second copy. A topic that Kafka refuses is held back and tried
again; the others go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from topics.codec import Record
from topics.failpoints import reach
from topics.outbox import parse_headers
from topics.publisher import Publisher, PublishUncertainError
from topics.registry import INBOX_RETENTION_DAYS
from topics.sessions import DATABASE_ERRORS

READ: Final = """
    SELECT position, topic, partition, key, headers, value, age_s FROM (
        SELECT *, sum(octet_length(value)) OVER (ORDER BY position) AS bytes_so_far,
            extract(epoch FROM clock_timestamp() - queued_at)::float8 AS age_s
        FROM (
            SELECT * FROM messages.outbox WHERE NOT topic = ANY($1::text[])
            ORDER BY position LIMIT $2
        ) AS oldest
    ) AS measured
    WHERE bytes_so_far <= $3 OR bytes_so_far = octet_length(value)
    ORDER BY position
"""
DELETE: Final = "DELETE FROM messages.outbox WHERE position = ANY($1::bigint[])"
LEAD: Final = "SELECT pg_try_advisory_lock($1)"
AGE: Final = "SELECT seconds FROM read.outbox_age"
TEND_INBOX: Final = "SELECT messages.tend_inbox(current_date, $1, $2)"

ROWS_MAX: Final = 1000
BYTES_MAX: Final = 8_000_000
POLL_S: Final = 1.0
GATHER_S: Final = 0.01
HOLD_S: Final = 10.0
TEND_S: Final = 3600.0
INBOX_DAYS_AHEAD: Final = 7
RETRY_S_FIRST: Final = 0.1
RETRY_S_MAX: Final = 2.0

_LOCK: Final = 0x616D706C7901  # Any fixed number that nothing else in this database locks.
#: A lost delete is published again, so its commit need not wait for the disk. Keepalives let the
#: server release the lock of a relay whose machine has vanished.
_SESSION: Final = {
    "application_name": "amply-relay",
    "synchronous_commit": "off",
    "statement_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_log = structlog.get_logger("relay")

_published = Counter("relay_published", "Messages that Kafka acknowledged", ["topic"])
_refused = Counter("relay_refused", "Messages that Kafka refused", ["topic"])
_oldest_age = Gauge("outbox_oldest_age_seconds", "Age of the oldest message in the outbox")
_leading = Gauge("relay_leading", "1 while this process holds the relay's lock")
_held = Gauge("relay_topics_held", "Topics that Kafka refuses and that are tried again")


class Relay:
    """`run` returns when `stopping` is set. `pulse` is called whenever the outbox was looked at.

    `leading` says whether this process is the one that relays.
    """

    def __init__(
        self, dsn: str, bootstrap: str, *, pulse: Callable[[], None] = lambda: None
    ) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._pulse = pulse
        self._wake = asyncio.Event()
        self._held: dict[str, float] = {}
        self._tended_at = -TEND_S
        self._waiting_since: float | None = None
        self.leading = False
        _oldest_age.set_function(self.oldest_age_s)
        _leading.set_function(lambda: float(self.leading))
        _held.set_function(lambda: float(len(self._held)))

    def oldest_age_s(self) -> float:
        """Age of the oldest unpublished message that was seen, in seconds; 0 when there is none."""
        return 0.0 if self._waiting_since is None else time.time() - self._waiting_since

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until told to stop, through restarts of the broker and the database."""
        waker = asyncio.create_task(self._wake_when(stopping))
        delay_s = RETRY_S_FIRST
        try:
            while not stopping.is_set():
                try:
                    async with self._connected() as connection:
                        if await self._lead(connection, stopping):
                            async with Publisher(self._bootstrap, "amply-relay") as publisher:
                                delay_s = RETRY_S_FIRST
                                await self._pump(connection, publisher, stopping)
                except (*DATABASE_ERRORS, KafkaError, PublishUncertainError) as error:
                    _log.warning(
                        "relay_interrupted", error=type(error).__name__, again_in_s=delay_s
                    )
                    await self._pause(stopping, delay_s)
                    delay_s = min(delay_s * 2, RETRY_S_MAX)
        finally:
            waker.cancel()

    async def _wake_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _pause(self, stopping: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            return

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(
            self._dsn, timeout=10, command_timeout=60, server_settings=_SESSION
        )
        try:
            yield connection
        finally:
            self.leading = False
            try:
                await connection.close(timeout=2)
            except DATABASE_ERRORS:
                connection.terminate()

    async def _lead(self, connection: Any, stopping: asyncio.Event) -> bool:
        """Wait until no other process relays; False when told to stop before."""
        while not stopping.is_set():
            self._pulse()
            if await connection.fetchval(LEAD, _LOCK):
                self.leading = True
                # Looked at before Kafka is reached: the age must grow while Kafka is away.
                self._measure(await connection.fetchval(AGE))
                _log.info("relay_leading")
                return True
            await self._pause(stopping, POLL_S)
        return False

    async def _pump(self, connection: Any, publisher: Publisher, stopping: asyncio.Event) -> None:
        await connection.add_listener("outbox", lambda *notification: self._wake.set())
        while not stopping.is_set():
            # Cleared before reading: a message queued after the read wakes the next round.
            self._wake.clear()
            await self._tend(connection)
            self._unhold()
            rows = await connection.fetch(READ, list(self._held), ROWS_MAX, BYTES_MAX)
            self._pulse()
            self._measure(rows[0]["age_s"] if rows else 0.0)
            if rows:
                await self._relay(connection, publisher, rows)
                if len(rows) < ROWS_MAX:
                    # Under load messages gather; a message on an idle platform leaves at once.
                    await self._pause(stopping, GATHER_S)
            elif not stopping.is_set():
                await self._pause(self._wake, POLL_S)

    async def _relay(self, connection: Any, publisher: Publisher, rows: Sequence[Any]) -> None:
        records = [
            Record(
                row["topic"],
                row["partition"],
                row["key"],
                row["value"],
                parse_headers(row["headers"]),
            )
            for row in rows
        ]
        refused = await publisher.publish(records)
        reach("relay.acknowledged")
        done = [row["position"] for number, row in enumerate(rows) if number not in refused]
        await connection.execute(DELETE, done)
        reach("relay.deleted")
        for number, record in enumerate(records):
            (_refused if number in refused else _published).labels(record.topic).inc()
        for topic, reason in {records[number].topic: refused[number] for number in refused}.items():
            _log.error("topic_held", topic=topic, reason=reason, again_in_s=HOLD_S)
            self._held[topic] = time.monotonic() + HOLD_S

    def _measure(self, oldest_age_s: float) -> None:
        self._waiting_since = time.time() - oldest_age_s if oldest_age_s else None

    def _unhold(self) -> None:
        now = time.monotonic()
        self._held = {topic: until for topic, until in self._held.items() if until > now}

    async def _tend(self, connection: Any) -> None:
        if time.monotonic() - self._tended_at < TEND_S:
            return
        self._tended_at = time.monotonic()
        try:
            async with connection.transaction():
                # Partitions need a lock that waits for every worker: rather an hour later.
                await connection.execute("SET LOCAL lock_timeout = '2s'")
                await connection.execute(TEND_INBOX, INBOX_DAYS_AHEAD, INBOX_RETENTION_DAYS)
        except asyncpg.LockNotAvailableError:
            _log.warning("inbox_not_tended", again_in_s=TEND_S)
