"""The process `retention`: forgets whom it is asked to, in seconds; deletes what is due, hourly.

Rules: one process leads, by an advisory lock; a request is marked when it was met, so that a crash
repeats it, which changes nothing; a round that fails is told and made again.
"""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from workers.retention import store, store_people
from workers.retention.erasing import Actor, ErasureError, erase, erase_person
from workers.retention.journal import Journal, JournalError
from workers.retention.table import OWN, WITHOUT_GIFTS
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings, required, seconds

NAME: Final = "retention"
PERIOD_S: Final = 3600.0
#: How long a missed notification can delay an erasure.
POLL_S: Final = 5.0
ROWS_MAX: Final = 1000
REQUESTS_MAX: Final = 20
CHANNEL: Final = "erasure_requested"
BASIS: Final = "retention"
SELF: Final = Actor("process", NAME)

_log = structlog.get_logger(NAME)
_deleted = Counter("retention_deleted", "Rows that were deleted when due", ["table"])
_erased = Counter("retention_erased", "Donors who were forgotten, by why", ["reason"])
_finished = Gauge("retention_finished_timestamp_seconds", "When the last round ended, Unix time")
_failing = Gauge("retention_failing", "1 after a round that did not come to its end")


async def run(settings: Settings) -> None:
    """Keep to the table until told to stop."""
    path = required(settings.variables, "AMPLY_ERASURE_JOURNAL", "the file of who was forgotten")
    period_s = seconds(settings.variables, "AMPLY_RETENTION_S", PERIOD_S)
    retention = Retention(settings.postgres, Journal(Path(path)), period_s)
    health = Health()
    health.checks["retaining"] = retention.is_working
    async with running(settings, health) as stopping:
        await retention.run(stopping, health)


class Retention:
    """Runs until `stopping` is set."""

    def __init__(self, dsn: str, journal: Journal, period_s: float = PERIOD_S) -> None:
        self._dsn = dsn
        self._journal = journal
        self._period_s = period_s
        self._due_at = 0.0
        self._wake = asyncio.Event()
        self._working = False

    async def is_working(self) -> bool:
        """Whether the last round came to its end."""
        return self._working

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """Work through restarts of the database."""
        pauses = delays(0.5, 10.0)
        while not stopping.is_set():
            try:
                await self._lead(stopping, health)
            except (OSError, JournalError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _failing.set(1)
                _log.error("retention_interrupted", error=type(error).__name__)
            self._working = False
            health.pulse()
            await wait(stopping, next(pauses))

    async def _lead(self, stopping: asyncio.Event, health: Health) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=120)
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            leads = False
            while not stopping.is_set():
                leads = leads or await store.lead(connection)
                self._wake.clear()
                if leads:
                    await self.forget(connection)
                    if time.monotonic() >= self._due_at:
                        await self.delete_due(connection, await store.clock(connection))
                        self._due_at = time.monotonic() + self._period_s
                    _failing.set(0)
                self._working = True
                health.pulse()
                await self._pause(stopping)
        finally:
            connection.terminate()

    async def forget(self, connection: Any) -> int:
        """Forget all whom the edge was asked to forget; how many."""
        count = 0
        while requests := await store.to_forget(connection, REQUESTS_MAX):
            for request in requests:
                try:
                    await erase(
                        *(connection, self._journal, request.organization, request.profile),
                        basis=request.basis,
                        actor=SELF,
                    )
                except ErasureError as error:
                    _log.warning("nobody_to_forget", request=request.id, reason=str(error))
                await store.forgotten(connection, request.id)
                _erased.labels("asked").inc()
                count += 1
        while people := await store_people.to_forget(connection, REQUESTS_MAX):
            for one in people:
                await erase_person(
                    connection, self._journal, one.person, basis=one.basis, actor=SELF
                )
                await store_people.forgotten(connection, one.id)
                _erased.labels("person").inc()
                count += 1
        return count

    async def delete_due(self, connection: Any, moment: datetime) -> dict[str, int]:
        """Delete what the table says is due at `moment`; how many rows by table."""
        deleted = dict.fromkeys([rule.table for rule in (*OWN, WITHOUT_GIFTS)], 0)
        for rule in OWN:
            count = ROWS_MAX
            while count == ROWS_MAX:
                count = await store.delete_due(connection, rule, moment, ROWS_MAX)
                deleted[rule.table] += count
                _deleted.labels(rule.table).inc(count)
        assert WITHOUT_GIFTS.kept is not None
        before = moment - WITHOUT_GIFTS.kept
        while donors := await store.without_gifts(connection, before, ROWS_MAX):
            for organization, profile in donors:
                await erase(
                    connection, self._journal, organization, profile, basis=BASIS, actor=SELF
                )
                _erased.labels("without_gifts").inc()
            deleted[WITHOUT_GIFTS.table] += len(donors)
        _finished.set(time.time())
        _log.info("retained", **{table.replace(".", "_"): n for table, n in deleted.items() if n})
        return deleted

    async def _pause(self, stopping: asyncio.Event) -> None:
        stopped = asyncio.create_task(stopping.wait())
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait((stopped, woken), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        woken.cancel()
