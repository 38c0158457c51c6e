"""When each key was last used: to the hour, written once a minute for all of them together."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from edge.database.pool import Database
from edge.errors import ProblemError
from edge.keys import store

EVERY_S: Final = 60.0
_log = structlog.get_logger()


class Uses:
    """Notes uses in memory; one that was not written when the process ends is forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[tuple[str, str], datetime] = {}
        self._written: dict[tuple[str, str], datetime] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, key: str, holder: str) -> None:
        """The holder's key was used now."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        if self._written.get((key, holder)) != hour:
            self._noted[key, holder] = hour

    def start(self) -> None:
        """Begin to write, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="key-uses")

    async def close(self) -> None:
        """Write what was noted, then stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.write()

    async def write(self) -> None:
        """Write what was noted; while the database is away it waits for the next time."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        holders = sorted({holder for _, holder in noted})
        try:
            async with self._database.transaction(holders) as connection:
                await store.used(connection, noted)
        except (ProblemError, asyncpg.PostgresError) as error:
            _log.warning("key_uses_not_written", error=type(error).__name__)
            self._noted = noted | self._noted
            return
        self._written = noted if len(self._written) > 10_000 else self._written | noted

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()
