"""Deleting webhooks and events after their 30 days, every hour, a little at a time."""

import asyncio
from contextlib import suppress
from typing import Final

from edge.database.pool import Database
from edge.errors import ProblemError
from edge.events import store as events
from edge.webhooks import store

_EVERY_S: Final = 3600.0


class Tidying:
    """Several edges may do it at once: they delete the same rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first round now."""
        self._task = asyncio.create_task(self._run(), name="tidying")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            # While PostgreSQL is away the next round does it.
            with suppress(ProblemError):
                while await self._delete():
                    continue
            await asyncio.sleep(_EVERY_S)

    async def _delete(self) -> int:
        async with self._database.transaction([]) as connection:
            return await store.delete_old(connection) + await events.tidy(connection)
