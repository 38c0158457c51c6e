"""Checks the whole ledger every so often: metrics, one log line a difference, an alarm.

Rules: a check that could not be made is no check that found nothing: the alarm tells both; nothing
is mended here, since what differs is evidence.
"""

import asyncio
import time
from typing import Final

import asyncpg
import structlog
from prometheus_client import Gauge

from amply_verify.errors import UnreadableError
from ledger.check import published_log
from ledger.store import checking
from ledger.store.checking import Report
from ledger.store.pen import NoSuchLogError
from topics.sessions import DATABASE_ERRORS
from workers.runtime.calls import wait
from workers.runtime.health import Health

NAME: Final = "books"
PERIOD_S: Final = 86_400.0
#: The first check comes when a platform that was just started has found its feet.
FIRST_S: Final = 60.0

_log = structlog.get_logger(NAME)
_alarm = Gauge("ledger_check_alarm", "1 after a check that found differences or failed")
_differences = Gauge("ledger_check_differences", "Differences that the last check found")
_entries = Gauge("ledger_check_entries", "Entries that the last check recomputed")
_seconds = Gauge("ledger_check_seconds", "How long the last check took")
_finished = Gauge("ledger_check_finished_timestamp_seconds", "When the last check ended, Unix time")


class Checker:
    """Checks until `stopping` is set. `location` is where the log is published."""

    def __init__(self, dsn: str, log: int, origin: str, location: str, period_s: float) -> None:
        self._dsn = dsn
        self._number = log
        self._origin = origin
        self._location = location
        self._period_s = period_s

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """Check now and then."""
        await wait(stopping, min(FIRST_S, self._period_s))
        while not stopping.is_set():
            try:
                tell(await self._check(health))
            except (*DATABASE_ERRORS, UnreadableError, NoSuchLogError) as error:
                _alarm.set(1)
                _log.error("ledger_not_checked", error=type(error).__name__, reason=str(error))
            await wait(stopping, self._period_s)

    async def _check(self, health: Health) -> Report:
        read = await asyncio.to_thread(published_log, self._location)
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=600)
        try:
            return await checking.check(
                *(connection, self._number, self._origin, read), lambda done, size: health.pulse()
            )
        finally:
            connection.terminate()


def tell(report: Report) -> None:
    """What a check found, for machines and in the log."""
    _alarm.set(0 if report.agrees else 1)
    _differences.set(report.findings.total)
    _entries.set(report.entries)
    _seconds.set(report.seconds)
    _finished.set(time.time())
    for one in report.findings.kept:
        _log.critical(
            "ledger_differs",
            code=one.code,
            reason=one.message,
            index=one.index,
            organization=one.organization,
        )
    _log.info(
        "ledger_checked",
        entries=report.entries,
        differences=report.findings.total,
        seconds=round(report.seconds, 1),
    )
