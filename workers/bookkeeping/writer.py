"""The single writer of a log: takes the pen, reads requests from Kafka, records them in batches.

Rules: the position in Kafka is stored with the entries, never in Kafka; the next batch is read and
decoded while one is stored; whoever loses the pen ends, and whoever loses an engine takes the pen
anew, since a lost connection leaves open whether the last batch was committed.
"""

import asyncio
import gc
import os
import socket
import time
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from ledger.batch import ClockBehindError
from ledger.entry import Composer
from ledger.store import pen as store
from ledger.store import waiting
from ledger.store.checkpoints import TamperedError
from ledger.store.connection import AnyConnection
from topics import dead_letters
from topics.registry import ENTRIES_REQUESTED
from topics.sessions import DATABASE_ERRORS
from workers.bookkeeping import agreement, erasures, metrics
from workers.bookkeeping.agreement import PublishedOtherwiseError
from workers.bookkeeping.announcer import Announcer
from workers.bookkeeping.incoming import Incoming, read, read_released
from workers.bookkeeping.own_entries import record_due
from workers.bookkeeping.recorder import NAME, Recorder
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.runtime.reader import OffsetLostError, PartitionReader
from workers.settings import Settings, required

#: The number of the log, which is also the partition of its requests.
LOG: Final = 0
#: So many share what a batch costs beside its entries: a commit, a row for each head and balance
#: that it moves. Their bytes are bounded by what Kafka answers to one fetch.
BATCH_REQUESTS_MAX: Final = 8000
#: How many requests are decoded before the loop looks whether the database has answered.
SLICE_REQUESTS: Final = 100
#: New objects between two collections. A batch makes 20 for each request and no cycles; looking
#: through them took a third of the time of reading them.
GARBAGE_OBJECTS: Final = 1_000_000
POLL_MS: Final = 500
#: How often dead letters that a person released, and the age of what waits, are looked at.
TEND_S: Final = 1.0
RELEASED_MAX: Final = 100
RELEASED_LEASE_S: Final = 30.0
#: A hold of the pen that lasted so long ended by a new failure, not by the last one again.
FRESH_S_MIN: Final = 10.0

#: A writer that is stopped inside a transaction holds the log's row: the server ends it.
_SESSION: Final = {
    "application_name": "amply-bookkeeping",
    "idle_in_transaction_session_timeout": "5s",
    # The check of what was appended looks at a whole batch: in memory, not in a temporary file.
    "work_mem": "32MB",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

#: What starting anew does not mend.
_LASTING: Final = (
    store.FencedError,
    ClockBehindError,
    OffsetLostError,
    PublishedOtherwiseError,
    TamperedError,
)

_log = structlog.get_logger(NAME)


async def run(settings: Settings) -> None:
    """Write until told to stop.

    Ends the process with status 1 when another writer took over, when the database's clock is
    behind the log, when the stored log does not continue the published one, and when Kafka has lost
    requests that were not read: its supervisor starts it again, and the log line says what a person
    has to do.
    """
    origin = required(settings.variables, "AMPLY_LOG_ORIGIN", "the log's origin, <host>/log/0")
    health = Health()
    recorded = asyncio.Event()
    writer = _Writer(settings, origin, health, recorded)
    health.checks["writing"] = writer.is_writing
    announcer = Announcer(settings.postgres, settings.kafka, LOG, recorded, writer.is_busy)
    # One that ends ends all: a writer whose entries nobody announces looks healthy and is not.
    async with running(settings, health) as stopping, asyncio.TaskGroup() as tasks:
        gc.set_threshold(GARBAGE_OBJECTS)
        tasks.create_task(announcer.run(stopping), name="announcer")
        tasks.create_task(erasures.run(settings.postgres, stopping), name="erasures")
        try:
            await writer.run(stopping)
        except _LASTING as error:
            _log.critical("writer_ends", error=type(error).__name__, reason=str(error))
            raise SystemExit(1) from error
        finally:
            stopping.set()
            recorded.set()


class _Writer:
    def __init__(
        self, settings: Settings, origin: str, health: Health, recorded: asyncio.Event
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._health = health
        self._recorded = recorded
        self._tended_at = 0.0
        self._writing = False
        self._busy = False
        #: The epoch of this process, which takes the pen from others once only: at its start.
        self._epoch: int | None = None

    async def is_writing(self) -> bool:
        """Whether this process holds the pen and reads."""
        return self._writing

    def is_busy(self) -> bool:
        """Whether Kafka has more requests than the batch at hand."""
        return self._busy

    async def run(self, stopping: asyncio.Event) -> None:
        """Write through restarts of the engines."""
        pauses = delays(0.2, 5.0)
        while not stopping.is_set():
            started = time.monotonic()
            try:
                await self._hold_pen(stopping)
            except (*DATABASE_ERRORS, KafkaError) as error:
                if time.monotonic() - started > FRESH_S_MIN:
                    pauses = delays(0.2, 5.0)
                _log.warning("writer_interrupted", error=type(error).__name__)
                self._health.pulse()
                await wait(stopping, next(pauses))
            finally:
                self._writing = self._busy = False

    async def _hold_pen(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(
            self._settings.postgres, timeout=10, command_timeout=60, server_settings=_SESSION
        )
        try:
            recorder = await self._take_pen(connection)
            reader = PartitionReader(
                *(self._settings.kafka, ENTRIES_REQUESTED.name, LOG, recorder.offset),
                client_id="amply-bookkeeping",
            )
            async with reader:
                self._writing = True
                await self._write(recorder, reader, stopping)
        finally:
            connection.terminate()

    async def _take_pen(self, connection: AnyConnection) -> Recorder:
        owner = f"{socket.gethostname()}/{os.getpid()}"
        pen = await store.take(connection, LOG, self._origin, owner, self._epoch)
        self._epoch = pen.epoch
        metrics.epoch.set(pen.epoch)
        metrics.size.set(pen.state.size)
        _log.info("pen_taken", epoch=pen.epoch, size=pen.state.size, offset=pen.next_offset)
        public = self._settings.variables.get("AMPLY_PUBLIC")
        await agreement.check(
            connection, pen.state, Path(public, "log", str(LOG)) if public else None
        )
        awaited = await waiting.awaited(connection, LOG)
        return Recorder(connection, pen, Composer(self._origin), awaited, pen.next_offset)

    async def _write(
        self, recorder: Recorder, reader: PartitionReader, stopping: asyncio.Event
    ) -> None:
        reading = asyncio.create_task(self._read(reader))
        try:
            while not stopping.is_set():
                items = await reading
                reading = asyncio.create_task(self._read(reader))
                items += await self._tend(recorder)
                if items:
                    await recorder.record(items)
                    self._recorded.set()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, reader: PartitionReader) -> list[Incoming]:
        records = await reader.poll(BATCH_REQUESTS_MAX, POLL_MS)
        self._health.pulse()
        self._busy = await reader.lag() > 0
        items: list[Incoming] = []
        for start in range(0, len(records), SLICE_REQUESTS):
            items += map(read, records[start : start + SLICE_REQUESTS])
            await asyncio.sleep(0)
        return items

    async def _tend(self, recorder: Recorder) -> list[Incoming]:
        """Now and then: record the ledger's own entries, measure what waits, take up dead letters
        that a person released.
        """
        if time.monotonic() - self._tended_at < TEND_S:
            return []
        self._tended_at = time.monotonic()
        await record_due(recorder)
        age_s, number = await waiting.age(recorder.connection)
        metrics.waiting.set(number)
        metrics.waiting_age.set(age_s)
        released = await dead_letters.claim_due(
            recorder.connection, NAME, limit=RELEASED_MAX, lease_s=RELEASED_LEASE_S
        )
        return [read_released(row) for row in released]
