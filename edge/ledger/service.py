"""A member's view of the ledger: what everybody sees, and behind the labels what SpiceDB permits.

Rules: scope and SpiceDB must both allow it. SpiceDB is asked for the organization, then for each
of its funds; which entries that comes to is decided by `ledger/visibility.py`, without a
relationship for each entry.
"""

from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.ledger import pages, store
from edge.ledger.openings import show
from ledger.visibility import Reader, Role

SCOPE: Final = "ledger:read"
INTERNAL_SCOPE: Final = "ledger:read_internal"


@dataclass(frozen=True, slots=True)
class _Rights:
    role: Role
    funds: frozenset[str] | None = None


class MemberLedger:
    """What a caller may see."""

    def __init__(
        self,
        database: Database,
        authorization: Authorization,
        clock: BusinessClock,
    ) -> None:
        self._database = database
        self._authorization = authorization
        self._clock = clock

    async def page(
        self, caller: Caller, organization: str, cursor: str | None, limit: int
    ) -> bytes:
        """A page of entries in the order of `seq`, as JSON."""
        start = pages.seq_of(cursor) if cursor is not None else 0
        rights = await self._rights(caller, organization)
        async with self._database.transaction([organization]) as connection:
            rows = await store.entries(connection, organization, start, limit + 1)
            reader = Reader(rights.role, await self._clock.now(connection), rights.funds)
            shown = await show(connection, organization, rows[:limit], reader)
        return pages.page(rows, limit, shown)

    async def entry(self, caller: Caller, organization: str, identifier: str) -> dict[str, Any]:
        """One entry; ProblemError 404 when the organization has none such."""
        rights = await self._rights(caller, organization)
        async with self._database.transaction([organization]) as connection:
            row = await store.entry(connection, organization, identifier)
            if row is None:
                raise ProblemError("entry_not_found")
            reader = Reader(rights.role, await self._clock.now(connection), rights.funds)
            shown = await show(connection, organization, [row], reader)
        return pages.entry(row, shown)

    async def _rights(self, caller: Caller, organization: str) -> _Rights:
        if INTERNAL_SCOPE not in caller.scopes:
            return _Rights(Role.PUBLIC)
        of_all = _to_look_behind(caller, f"organization:{organization}")
        if await self._authorization.is_allowed(of_all):
            return _Rights(Role.MEMBER)
        async with self._database.transaction([organization]) as connection:
            funds = await store.funds(connection, organization)
        answers = await self._authorization.are_allowed(
            [_to_look_behind(caller, f"fund:{fund}") for fund in funds]
        )
        permitted = frozenset(compress(funds, answers))
        return _Rights(Role.MEMBER, permitted) if permitted else _Rights(Role.PUBLIC)


def _to_look_behind(caller: Caller, resource: str) -> Question:
    return Question(resource, "view_internal_ledger", caller.subject)
