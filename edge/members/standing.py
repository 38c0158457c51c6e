"""That a role taken counts at once, before SpiceDB was told.

SpiceDB answers by what it was told, which takes a moment to arrive. What the edge itself took, or
made smaller, it refuses by its own row until then: rows are kept for those who have gone.
"""

from datetime import UTC, datetime
from typing import Final

from edge.database.pool import Database
from edge.errors import ProblemError
from edge.members import decisions, store

_PLATFORM: Final = "platform:amply"
_RETRY_AFTER: Final = {"Retry-After": "1"}


class Standings:
    """What the edge knows of persons' roles beside SpiceDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holds(self, person: str, resource: str) -> bool:
        """Whether SpiceDB's yes about a person, on an organization or the platform, stands.

        ProblemError 503 while a smaller role is on its way to SpiceDB. Persons without a row never
        had a role that the edge could take.
        """
        now = datetime.now(UTC)
        kind, _, organization = resource.partition(":")
        scope = [organization] if kind == "organization" else []
        async with self._database.transaction(scope) as connection:
            known = [(_PLATFORM, await store.staff(connection, person), decisions.STAFF_RANKS)]
            if scope:
                member = await store.member(connection, organization, person)
                known.append((resource, member, decisions.RANKS))
            roles = [
                (
                    row["role"] if decisions.is_active(row, now) else None,
                    await store.written(connection, place, person),
                    ranks,
                )
                for place, row, ranks in known
                if row is not None
            ]
        if roles and all(role is None for role, _, _ in roles):
            return False
        if not all(decisions.covers(*one) for one in roles):
            raise ProblemError("permissions_unavailable", headers=_RETRY_AFTER)
        return True
