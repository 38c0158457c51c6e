"""A member's view of the ledger: what everybody sees, and behind the labels what SpiceDB permits.

Rules: the key's scope and SpiceDB must both allow it. SpiceDB is asked for the organization, then
for each of its funds; which entries that comes to is decided by `ledger/visibility.py`, without a
relationship for each entry.
"""

import asyncio
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from edge.authorization import Authorization, Question
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.directory.records import ApiKey, Organization
from edge.errors import ProblemError
from edge.ledger import pages, store
from edge.ledger.openings import show
from ledger.visibility import Reader, Role

SCOPE: Final = "ledger:read"
INTERNAL_SCOPE: Final = "ledger:read_internal"
_QUESTIONS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class _Rights:
    role: Role
    funds: frozenset[str] | None = None


class MemberLedger:
    """What the holder of a key may see."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        authorization: Authorization,
        clock: BusinessClock,
    ) -> None:
        self._database = database
        self._directory = directory
        self._authorization = authorization
        self._clock = clock

    async def page(self, key: ApiKey, slug: str, cursor: str | None, limit: int) -> bytes:
        """A page of entries in the order of `seq`, as JSON."""
        start = pages.seq_of(cursor) if cursor is not None else 0
        organization = await self._organization(key, slug)
        rights = await self._rights(key, organization.id)
        async with self._database.transaction([organization.id]) as connection:
            rows = await store.entries(connection, organization.id, start, limit + 1)
            reader = Reader(rights.role, await self._clock.now(connection), rights.funds)
            shown = await show(connection, organization.id, rows[:limit], reader)
        return pages.page(rows, limit, shown)

    async def entry(self, key: ApiKey, slug: str, identifier: str) -> dict[str, Any]:
        """One entry; ProblemError 404 when the organization has none such."""
        organization = await self._organization(key, slug)
        rights = await self._rights(key, organization.id)
        async with self._database.transaction([organization.id]) as connection:
            row = await store.entry(connection, organization.id, identifier)
            if row is None:
                raise ProblemError("entry_not_found")
            reader = Reader(rights.role, await self._clock.now(connection), rights.funds)
            shown = await show(connection, organization.id, [row], reader)
        return pages.entry(row, shown)

    async def _organization(self, key: ApiKey, slug: str) -> Organization:
        unknown = ProblemError("organization_not_found")
        organization = await self._directory.organization(slug) if "_" not in slug else None
        if organization is None:
            raise unknown
        resource = f"organization:{organization.id}"
        await self._authorization.require(_question(key, resource, "view_public_ledger"), unknown)
        return organization

    async def _rights(self, key: ApiKey, organization: str) -> _Rights:
        if INTERNAL_SCOPE not in key.scopes:
            return _Rights(Role.PUBLIC)
        if await self._may_see_behind(key, f"organization:{organization}"):
            return _Rights(Role.MEMBER)
        async with self._database.transaction([organization]) as connection:
            funds = await store.funds(connection, organization)
        permitted: set[str] = set()
        for start in range(0, len(funds), _QUESTIONS_AT_ONCE):
            asked = funds[start : start + _QUESTIONS_AT_ONCE]
            answers = [self._may_see_behind(key, f"fund:{fund}") for fund in asked]
            permitted.update(compress(asked, await asyncio.gather(*answers)))
        return _Rights(Role.MEMBER, frozenset(permitted)) if permitted else _Rights(Role.PUBLIC)

    async def _may_see_behind(self, key: ApiKey, resource: str) -> bool:
        return await self._authorization.is_allowed(
            _question(key, resource, "view_internal_ledger")
        )


def _question(key: ApiKey, resource: str, permission: str) -> Question:
    return Question(resource, permission, f"api_key:{key.id}")
