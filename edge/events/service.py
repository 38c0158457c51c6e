"""Events of an organization, now or as soon as there are some."""

from typing import Any

from edge.database.pool import Database
from edge.events import decisions, store
from edge.events.decisions import Wanted
from edge.waiting import Waiters


class Events:
    """Reads events. `waiters` are woken by the name of an organization that has new ones."""

    def __init__(self, database: Database, waiters: Waiters[str]) -> None:
        self._database = database
        self._waiters = waiters

    async def page(self, organization: str, wanted: Wanted, wait_s: float = 0) -> dict[str, Any]:
        """A page; an empty one only after `wait_s`. ProblemError 410 or 422 by the cursor."""
        after = wanted.after
        if after is None:
            async with self._database.transaction([organization]) as connection:
                after = await store.last_position(connection, organization)
        return await self._waiters.until(
            organization,
            lambda: self._look(organization, wanted, after),
            decisions.is_worth_telling,
            wait_s,
        )

    async def _look(self, organization: str, wanted: Wanted, after: int) -> dict[str, Any]:
        async with self._database.transaction([organization]) as connection:
            seen = await store.read(
                *(connection, organization, after, wanted.types, wanted.subject),
                wanted.limit + 1,
            )
        return decisions.page(seen, wanted, after)
