"""Events of an organization, now or as soon as there are some."""

from collections.abc import Sequence
from typing import Any

from edge.authorization import Authorization
from edge.caller import Caller
from edge.database.pool import Database
from edge.events import decisions, store
from edge.events.decisions import Wanted
from edge.waiting import Waiters


class Events:
    """Reads events. `waiters` are woken by the name of an organization that has new ones."""

    def __init__(
        self, database: Database, authorization: Authorization, waiters: Waiters[str]
    ) -> None:
        self._database = database
        self._authorization = authorization
        self._waiters = waiters

    async def page(self, caller: Caller, wanted: Wanted, wait_s: float = 0) -> dict[str, Any]:
        """What the caller may see of a page; an empty one only after `wait_s`.

        ProblemError 410 or 422 by the cursor.
        """
        organization, hidden = caller.organization, await self._hidden(caller)
        after = wanted.after
        if after is None:
            async with self._database.transaction([organization]) as connection:
                after = await store.last_position(connection, organization)
        return await self._waiters.until(
            organization,
            lambda: self._look(organization, wanted, after, hidden),
            decisions.is_worth_telling,
            wait_s,
        )

    async def _hidden(self, caller: Caller) -> Sequence[str]:
        asked = decisions.questions(caller)
        answers = await self._authorization.are_allowed(list(asked.values()))
        return decisions.hidden([noun for noun, yes in zip(asked, answers, strict=True) if yes])

    async def _look(
        self, organization: str, wanted: Wanted, after: int, hidden: Sequence[str]
    ) -> dict[str, Any]:
        async with self._database.transaction([organization]) as connection:
            seen = await store.read(
                *(connection, organization, after, wanted.types, wanted.subject),
                *(wanted.limit + 1, hidden),
            )
        return decisions.page(seen, wanted, after)
