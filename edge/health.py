"""Is the edge well: alive, ready, and how far its messages lag."""

import asyncio
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import structlog
from aiohttp import web

from edge import metrics
from edge.database.listener import Listener
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.spicedb import Question, SpiceDB, UnreachableError

_LOOK_EVERY_S: Final = 1.0
_PROBE: Final = Question("organization:probe", "create_donation_by_api", "api_key:probe")
_log = structlog.get_logger()


class Health:
    """Looks at the engines when asked, and at the outbox every second."""

    def __init__(
        self, database: Database, listener: Listener, spicedb: SpiceDB, outbox_age_s_max: float
    ) -> None:
        self._database = database
        self._listener = listener
        self._spicedb = spicedb
        self._outbox_age_s_max = outbox_age_s_max
        self._outbox_age_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self.is_draining = False

    def start(self) -> None:
        """Begin to watch the outbox."""
        self._task = asyncio.create_task(self._watch(), name="outbox-age")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def is_backlogged(self) -> bool:
        """Whether messages have waited too long: what we accept would not go anywhere."""
        return self._outbox_age_s > self._outbox_age_s_max

    async def readiness(self) -> dict[str, bool]:
        """What a request needs, and whether it is there."""
        database, spicedb = await asyncio.gather(self._database.ping(), self._asks())
        return {
            "postgresql": database,
            "notifications": self._listener.is_listening,
            "spicedb": spicedb,
            "serving": not self.is_draining,
        }

    async def _asks(self) -> bool:
        try:
            await self._spicedb.ask(_PROBE)
        except UnreachableError:
            return False
        return True

    async def _watch(self) -> None:
        while True:
            try:
                self._outbox_age_s = await self._database.outbox_age_s()
                metrics.OUTBOX_AGE_SECONDS.set(self._outbox_age_s)
            except ProblemError:
                # Away: requests find out for themselves, and the last age would mislead.
                self._outbox_age_s = 0.0
            await asyncio.sleep(_LOOK_EVERY_S)


#: The health of a running application.
HEALTH: Final = web.AppKey("health", Health)


def platform_version() -> str:
    """The version of the installed distribution; "0" when it is not installed."""
    try:
        return version("amply")
    except PackageNotFoundError:
        return "0"
