"""A person's own rights: to see all that is kept of them, and to be forgotten (GDPR 15 and 17).

Whoever leaves is a member of nothing any more, at once; `retention` then destroys their key, after
the journal's line, by the path of every erasure. Entries, audit records and rows go on naming an id
that stands for nobody.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from contracts.identifiers import random_id, type_id
from edge.audit import writing as audit
from edge.caller import Caller
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.members import decisions as members_decisions
from edge.members import staff
from edge.members import store as members
from edge.members.service import expel
from edge.organizations import store_profiles
from edge.people import store, store_own
from edge.people.service import Persons
from edge.sessions import store as sessions
from edge.times import spell_time
from topics.outbox import AnyConnection

BASIS: Final = "gdpr-17"


class OwnRights:
    """What a person may ask for about themselves. Callers have passed the gate."""

    def __init__(self, database: Database, persons: Persons) -> None:
        self._database = database
        self._persons = persons

    async def shown(self, caller: Caller) -> dict[str, Any]:
        """All that is kept of the person, beside their sessions."""
        known = await self._persons.find(caller.id)
        said = None if known is None else self._persons.profile(known)
        async with self._scope([caller.id], caller.id) as connection:
            erasure = await store_own.erasure(connection, caller.id)
            role = await members.staff(connection, caller.id)
            kept = {
                "created_at": await store_own.created_at(connection, caller.id),
                "memberships": await store_own.memberships(connection, caller.id),
                "collectors": await store_own.collectors(connection, caller.id),
                "applications": await store_own.applications(connection, caller.id),
            }
        return {
            "id": caller.id,
            "object": "person",
            "name": None if said is None else said.name,
            "email": None if said is None else said.email,
            "session": caller.session,
            "authenticated_at": caller.authenticated_at,
            "is_strong": caller.is_strong,
            **kept,
            "staff_role": None if role is None or role["removed_at"] is not None else role["role"],
            "erasure": None if erasure is None else _erasure(caller.id, erasure),
        }

    async def forget(self, caller: Caller) -> dict[str, Any]:
        """Have the person forgotten; asked again, the first request stands.

        ProblemError 409 while an organization or a collector would be left with nobody.
        """
        person, now = caller.id, datetime.now(UTC)
        async with self._scope([person], person) as connection:
            found = await store_own.memberships(connection, person)
        places = [row["organization"] for row in found]
        async with self._scope([person, *places], person) as connection:
            for organization in sorted(places):
                await store_profiles.locked(connection, organization)
            asked = await store_own.erasure(connection, person)
            if asked is None:
                left = await self._left_alone(connection, person)
                if left:
                    detail = f"Nobody else has {', '.join(left)}."
                    raise ProblemError("person_needed", detail)
                await self._leave(connection, person, now)
                identifier = type_id("era", random_id(now))
                await store_own.ask(connection, identifier, person, BASIS, now)
            await audit.write(connection, person)
            asked = await store_own.erasure(connection, person)
            assert asked is not None, "it was asked for in this transaction, or before"
            return _erasure(person, asked)

    async def _leave(self, connection: AnyConnection, person: str, now: datetime) -> None:
        for row in await store_own.memberships(connection, person):
            if row["removed_at"] is None:
                await expel(connection, row["organization"], person, person, now)
        role = await members.staff(connection, person)
        if role is not None and role["removed_at"] is None:
            await staff.set_role(connection, person, None, person)
        await sessions.revoke(connection, person, None, now)

    async def _left_alone(self, connection: AnyConnection, person: str) -> list[str]:
        """What would have nobody: organizations by their short names, collectors by their ids."""
        now = datetime.now(UTC)
        owned = [
            row
            for row in await store_own.memberships(connection, person)
            if row["role"] == "owner"
            and row["status"] != "closed"
            and members_decisions.is_active(row, now)
        ]
        left = [
            str(row["slug"])
            for row in owned
            if await members.owners(connection, row["organization"]) <= 1
        ]
        managed = await store_own.collectors(connection, person)
        return left + [str(row["id"]) for row in managed if row["status"] == "active"]

    @asynccontextmanager
    async def _scope(
        self, organizations: Sequence[str], person: str
    ) -> AsyncIterator[AnyConnection]:
        async with self._database.transaction(list(organizations)) as connection:
            await store.set_scope(connection, person)
            yield connection


def _erasure(person: str, row: dict[str, Any]) -> dict[str, Any]:
    done_at = row["done_at"]
    return {
        "object": "erasure",
        "id": row["id"],
        "person": person,
        "status": "requested" if done_at is None else "done",
        "basis": row["basis"],
        "requested_at": spell_time(row["requested_at"]),
        "done_at": None if done_at is None else spell_time(done_at),
    }
