"""Collectors: made and managed by a person, allowed by organizations, each by itself."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from asyncpg import Record

from contracts.identifiers import random_id, type_id
from edge import resources
from edge.audit import writing as audit
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.collectors import decisions, store
from edge.collectors.models import CollectorProfile
from edge.database.pool import Database
from edge.database.store import set_scope
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.listing import Page
from edge.members import store as members
from edge.members.service import lock
from edge.organizations import messages, relationships
from edge.organizations import store_profiles as profiles
from edge.organizations.relationships import CollectionRow, CollectorRow
from edge.resources import Change, Command, Precondition
from topics import codec, outbox
from topics.outbox import AnyConnection

#: Active ones of one person.
COLLECTORS_MAX: Final = 20

Versioned = tuple[dict[str, Any], int]


class Collectors:
    """Who collects, and for whom."""

    def __init__(self, database: Database, authorization: Authorization) -> None:
        self._database = database
        self._authorization = authorization

    async def make(self, command: Command[CollectorProfile]) -> tuple[dict[str, Any], int, bool]:
        """The collector, its version, and whether it was made before; ProblemError 409."""
        now, person = datetime.now(UTC), command.created_by
        identifier = type_id("col", random_id(now))
        async with self._database.transaction([command.tenant, identifier]) as connection:
            made = await resources.claim(connection, command, identifier)
            if made is not None:
                row = await _found(connection, made)
                return decisions.collector(row), row["version"], True
            if await store.count(connection, person) >= COLLECTORS_MAX:
                raise ProblemError("too_many_collectors")
            await store.make(connection, identifier, command.body, person, now)
            platform = await members.platform_organization(connection)
            if platform is None:
                raise ProblemError("unavailable", "The platform's organization is not registered.")
            changes = relationships.changes([CollectorRow(identifier, person)], now)
            await outbox.queue(
                connection, [messages.permissions(platform, identifier, changes, now)]
            )
            await audit.write(connection, identifier, after=command.body.model_dump())
            row = await _found(connection, identifier)
            return decisions.collector(row), row["version"], False

    async def managed(self, person: str, page: Page) -> dict[str, Any]:
        """A page of those that a person manages, newest first."""
        async with self._database.transaction([]) as connection:
            rows = await store.managed(connection, person, page.after_or_nulls, page.rows_max)
        return page.of(rows, decisions.collector)

    async def require(
        self, caller: Caller, identifier: str, permission: Literal["view", "manage"]
    ) -> Versioned:
        """The collector, for those who may; ProblemError 404 for all others.

        Whoever manages it needs no word of SpiceDB's, which learns of a new one a moment later.
        """
        async with self._database.transaction([]) as connection:
            row = await store.collector(connection, identifier)
        if row is None:
            raise ProblemError("collector_not_found")
        if caller.id != row["manager"] and caller.organization != identifier:
            question = Question(f"collector:{identifier}", permission, caller.subject)
            if not await self._authorization.is_allowed(question, is_fresh=True):
                raise ProblemError("collector_not_found")
        return decisions.collector(row), row["version"]

    async def change(self, identifier: str, change: Change) -> Versioned:
        """Who it is after a change; ProblemError 412, 422."""
        async with self._database.transaction([identifier]) as connection:
            row = await store.locked(connection, identifier)
            if row is None:
                raise ProblemError("collector_not_found")
            names = CollectorProfile.model_fields
            current = CollectorProfile(**{name: row[name] for name in names})
            wanted = resources.changed(CollectorProfile, current, change, row["version"])
            await store.change(connection, identifier, wanted)
            await audit.write(
                connection, identifier, before=current.model_dump(), after=wanted.model_dump()
            )
            row = await _found(connection, identifier)
            await _tell_all(connection, identifier, "collector.updated")
        return decisions.collector(row), row["version"]

    async def close(self, identifier: str, precondition: Precondition) -> None:
        """It collects no more, at once; ProblemError 412."""
        async with self._database.transaction([identifier]) as connection:
            row = await store.locked(connection, identifier)
            if row is None:
                raise ProblemError("collector_not_found")
            precondition.require(row["version"])
            now = datetime.now(UTC)
            await store.close(connection, identifier, now)
            allowing = [one["organization"] for one in await store.allowing(connection, identifier)]
            await set_scope(connection, [identifier, *allowing])
            for organization in allowing:  # Whoever repairs what SpiceDB holds of it waits.
                await profiles.locked(connection, organization)
            ended = [CollectionRow(one, identifier, is_allowed=False) for one in allowing]
            await outbox.queue(connection, [_told(one, now) for one in ended])
            await audit.write(connection, identifier, before=row["status"], after="closed")
            if row["status"] == "active":
                await _tell_all(connection, identifier, "collector.removed")

    async def allow(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """Let it take gifts for the organization; ProblemError 404 when there is no such active."""
        return await self._set(caller, identifier, "allowed")

    async def revoke(self, caller: Caller, identifier: str) -> None:
        """Let it take no more gifts for the organization, at once; ProblemError 404."""
        await self._set(caller, identifier, "revoked")

    async def _set(
        self, caller: Caller, identifier: str, status: Literal["allowed", "revoked"]
    ) -> dict[str, Any]:
        organization, now = caller.organization, datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            await lock(connection, organization)
            before = await store.collection(connection, organization, identifier)
            if status == "revoked" and before is None:
                raise ProblemError("collector_not_found")
            if status == "allowed":
                known = await store.collector(connection, identifier)
                if known is None or known["status"] != "active":
                    raise ProblemError("collector_not_found")
            is_change = before is None or before["status"] != status
            if is_change:
                await store.set_collection(
                    connection, identifier, organization, status, caller.id, now
                )
                await audit.write(
                    connection,
                    identifier,
                    organization=organization,
                    before=None if before is None else before["status"],
                    after=status,
                )
            row = await store.collection(connection, organization, identifier)
            assert row is not None, "it was set in this transaction, or before"
            if is_change:
                collection = CollectionRow(organization, identifier, status == "allowed")
                event = "collector.added" if status == "allowed" else "collector.removed"
                told = [
                    _told(collection, now),
                    announce(organization, event, identifier, decisions.announced(row), now),
                ]
                await outbox.queue(connection, told)
            return decisions.collection(row)

    async def collections(self, holder: str, page: Page) -> dict[str, Any]:
        """A page of what an organization allows, or of who allows a collector; oldest first."""
        async with self._database.transaction([holder]) as connection:
            rows = await store.collections(
                connection, holder, page.filters.get("status"), page.after_or_nulls, page.rows_max
            )
        return page.of(rows, decisions.collection)


async def _tell_all(connection: AnyConnection, identifier: str, event: str) -> None:
    """Announce a change of the collector in scope to each organization that allows it."""
    now = datetime.now(UTC)
    told = [
        announce(row["organization"], event, identifier, decisions.announced(row), now)
        for row in await store.allowing(connection, identifier)
    ]
    await outbox.queue(connection, told)


def _told(row: CollectionRow, now: datetime) -> codec.Record:
    """What SpiceDB is told of a collector that may, or may not any more, take gifts."""
    subject = f"{row.organization}:{row.collector}:{now.timestamp()}"
    changes = relationships.changes([row], now)
    return messages.permissions(row.organization, subject, changes, now)


async def _found(connection: AnyConnection, identifier: str) -> Record:
    row = await store.collector(connection, identifier)
    if row is None:
        raise ProblemError("collector_not_found")
    return row
