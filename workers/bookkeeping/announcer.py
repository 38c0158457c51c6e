"""Tells entries.recorded.v1 what the log holds, in its order, read from the log itself.

Rules: the cursor moves after Kafka's acknowledgement, so a crash tells some entries again under the
same ids; indexes have no gaps, so no entry is overtaken.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts.entries import EntryRecorded
from contracts.identifiers import caused_id, parse_type_id, time_of
from contracts.message import Envelope
from ledger.store import announcing
from ledger.store.announcing import RecordedEntry
from ledger.store.connection import AnyConnection
from topics import outbox
from topics.codec import Record
from topics.publisher import Publisher, PublishUncertainError
from topics.registry import ENTRIES_RECORDED
from topics.sessions import DATABASE_ERRORS
from workers.runtime.calls import wait
from workers.runtime.failures import delays

NAME: Final = "bookkeeping"
ENTRIES_MAX: Final = 500
#: How long a missed notification can delay an announcement.
POLL_S: Final = 1.0
#: The pause between two announcements while the writer has more requests than it can take at once.
YIELD_S: Final = 1.0

_log = structlog.get_logger(NAME)


class Announcer:
    """Announces until `stopping` is set; the next announcer goes on where this one ended."""

    def __init__(
        self,
        dsn: str,
        bootstrap: str,
        log: int,
        wake: asyncio.Event,
        is_writer_busy: Callable[[], bool],
    ) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._number = log
        self._wake = wake
        self._is_writer_busy = is_writer_busy

    async def run(self, stopping: asyncio.Event) -> None:
        """Announce through restarts of the broker and the database."""
        pauses = delays(0.2, 5.0)
        while not stopping.is_set():
            try:
                await self._announce(stopping)
            except (*DATABASE_ERRORS, KafkaError, PublishUncertainError) as error:
                _log.warning("announcing_interrupted", error=type(error).__name__)
                await wait(stopping, next(pauses))

    async def _announce(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
        try:
            async with Publisher(self._bootstrap, "amply-bookkeeping") as publisher:
                index = await announcing.cursor(connection, self._number)
                while not stopping.is_set():
                    if self._is_writer_busy():  # Recording goes first: both share one core.
                        await wait(stopping, YIELD_S)
                    self._wake.clear()
                    rows = await announcing.after(connection, self._number, index, ENTRIES_MAX)
                    if rows:
                        index = await self._publish(connection, publisher, rows)
                    elif not stopping.is_set():
                        await wait(self._wake, POLL_S)
        finally:
            await connection.close(timeout=2)

    async def _publish(
        self, connection: AnyConnection, publisher: Publisher, rows: Sequence[RecordedEntry]
    ) -> int:
        refused = await publisher.publish([announcement(row, self._number) for row in rows])
        if refused:
            # Order matters more than progress: nothing after a refused record may be told.
            raise PublishUncertainError(f"Kafka refused: {sorted(set(refused.values()))}")
        index = rows[-1].at + 1
        await announcing.move(connection, self._number, index)
        return index


def announcement(row: RecordedEntry, log: int) -> Record:
    """The record that tells of an entry; the same for ever."""
    request = parse_type_id("ent", row.id)
    body = EntryRecorded(
        entry_id=row.id,
        log=log,
        index=row.at,
        seq=row.seq,
        kind=row.kind,
        leaf_hash=row.leaf_hash.hex(),
        entry=row.data.decode(),
        subject=row.subject,
    )
    message = Envelope(
        id=caused_id(request, ENTRIES_RECORDED.name),
        type=ENTRIES_RECORDED.name,
        time=time_of(request),
        organization=row.organization,
        cause=request,
        body=body,
    )
    return outbox.prepare(NAME, ENTRIES_RECORDED, message)
