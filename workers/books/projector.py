"""Sums up entries behind the writer, in a process of its own: none of it costs the writer time.

Rules: an entry is summed up once, in the order of the log; one whose money cannot be read stops
the sums with a loud word, since everything after it would be wrong.
"""

import asyncio
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import Gauge

from ledger.projection import Reader, UnreadableEntryError
from ledger.store import projections
from ledger.store.connection import AnyConnection
from topics.sessions import DATABASE_ERRORS
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health

NAME: Final = "books"
ENTRIES_MAX: Final = 5_000
#: How long a missed notification can delay the sums.
POLL_S: Final = 1.0
#: The least time between two looks while entries keep coming: a few large steps cost less.
PAUSE_S: Final = 0.5
UNREADABLE_RETRY_S: Final = 10.0

_log = structlog.get_logger(NAME)
_summed_up = Gauge("ledger_projected_size", "Entries in the sums by day and month")
_stopped = Gauge("ledger_projection_stopped", "1 while an entry's money cannot be read")


class Projector:
    """Runs until `stopping` is set; the next one goes on where this one ended."""

    def __init__(self, dsn: str, log: int) -> None:
        self._dsn = dsn
        self._number = log
        self._wake = asyncio.Event()
        self._following = False

    async def is_following(self) -> bool:
        """Whether the last look at the log ended well."""
        return self._following

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """Sum up through restarts of the database."""
        pauses = delays(0.2, 5.0)
        while not stopping.is_set():
            pause_s = next(pauses)
            try:
                await self._follow(stopping, health)
            except UnreadableEntryError as error:
                _stopped.set(1)
                pause_s = UNREADABLE_RETRY_S
                _log.critical("sums_stopped", reason=str(error), again_in_s=pause_s)
            except projections.OvertakenError as error:
                _log.warning("sums_overtaken", reason=str(error))
            except DATABASE_ERRORS as error:
                _log.warning("books_interrupted", error=type(error).__name__)
            self._following = False
            health.pulse()
            await wait(stopping, pause_s)

    async def _follow(self, stopping: asyncio.Event, health: Health) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
        try:
            await connection.add_listener("ledger_appended", self._appended)
            reader = Reader()
            index = await projections.cursor(connection, self._number)
            while not stopping.is_set():
                # Cleared before looking: an append after the look wakes the next round.
                self._wake.clear()
                index = await self._catch_up(connection, index, stopping, reader)
                self._following = True
                _stopped.set(0)
                health.pulse()
                await wait(stopping, PAUSE_S)
                if not stopping.is_set():
                    await wait(self._wake, POLL_S)
        finally:
            connection.terminate()

    async def _catch_up(
        self, connection: AnyConnection, index: int, stopping: asyncio.Event, reader: Reader
    ) -> int:
        """Sum up all there is; a full step is followed by the next one at once."""
        while not stopping.is_set():
            end = await projections.advance(connection, self._number, index, ENTRIES_MAX, reader)
            _summed_up.set(end)
            if end - index < ENTRIES_MAX:
                return end
            index = end
        return index

    def _appended(self, *notification: Any) -> None:
        self._wake.set()
