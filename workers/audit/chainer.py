"""The process `audit`: chains what waits, in batches, and tends the partitions.

One per database: an advisory lock on the very connection that chains, and an epoch that each batch
checks, so that a process which lost the lock, or slept through its loss, chains nothing.
"""

import asyncio
import time
from typing import Final

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from ledger.store import audit
from ledger.store.audit import FencedError
from ledger.store.connection import AnyConnection
from workers.audit import store
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings

NAME: Final = "audit"
ROWS_MAX: Final = 1000
#: Nobody waits for a place: a look a second costs writers nothing, as a notification would.
POLL_S: Final = 1.0
TEND_S: Final = 3600.0

_log = structlog.get_logger(NAME)
_chained = Counter("audit_chained", "Audit records that got their place")
_age = Gauge("audit_oldest_age_seconds", "How long the oldest audit row has waited for its place")
_leading = Gauge("audit_leading", "1 while this process chains audit records")
_dropped = Counter("audit_months_dropped", "Months of audit records dropped after seven years")


async def run(settings: Settings) -> None:
    """Chain until told to stop."""
    chainer = Chainer(settings.postgres)
    health = Health()
    health.checks["chaining"] = chainer.is_working
    async with running(settings, health) as stopping:
        await chainer.run(stopping, health)


class Chainer:
    """Runs until `stopping` is set; one that does not hold the lock stands by."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._working = False
        self._tended_at = -TEND_S

    async def is_working(self) -> bool:
        """Whether the last look ended well; standing by is well."""
        return self._working

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """Chain through restarts of the database."""
        pauses = delays(0.2, 5.0)
        while not stopping.is_set():
            try:
                await self._lead(stopping, health)
            except FencedError as error:
                _log.warning("audit_fenced", reason=str(error))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("audit_interrupted", error=type(error).__name__)
            self._working = False
            _leading.set(0)
            health.pulse()
            await wait(stopping, next(pauses))

    async def _lead(self, stopping: asyncio.Event, health: Health) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
        try:
            while not stopping.is_set() and not await store.lead(connection):
                self._working = True
                health.pulse()
                await wait(stopping, POLL_S)
            if stopping.is_set():
                return
            epoch = await audit.take(connection)
            _leading.set(1)
            while not stopping.is_set():
                await self._round(connection, epoch, stopping)
                self._working = True
                health.pulse()
                await wait(stopping, POLL_S)
        finally:
            connection.terminate()

    async def _round(self, connection: AnyConnection, epoch: int, stopping: asyncio.Event) -> None:
        if time.monotonic() - self._tended_at >= TEND_S:
            dropped = await audit.tend(connection)
            _dropped.inc(dropped)
            self._tended_at = time.monotonic()
        while not stopping.is_set():
            seconds, _ = await audit.age(connection)
            _age.set(seconds)
            count = await audit.advance(connection, epoch, ROWS_MAX)
            _chained.inc(count)
            if count < ROWS_MAX:
                return
