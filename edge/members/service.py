"""Members of an organization: who they are, what they may become, that they go."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asyncpg import Record

from edge import resources
from edge.audit import writing as audit
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.listing import Page
from edge.members import decisions, store
from edge.members.models import MemberSettings, Role
from edge.organizations import messages, relationships, store_profiles
from edge.organizations.relationships import MemberRow
from edge.people.service import Persons
from edge.resources import Change, Precondition
from edge.spicedb import Relation
from edge.times import spell_time
from topics import outbox
from topics.outbox import AnyConnection

#: What whoever is no member needs to act as an owner does: the platform's superusers have it.
_AS_OWNER: Final = "manage_owners"


@dataclass(frozen=True, slots=True)
class Shown:
    """A member as the API shows one, and the row's version."""

    resource: dict[str, Any]
    version: int


class Members:
    """Roles of persons in organizations; whoever asks has `manage_members` there."""

    def __init__(self, database: Database, authorization: Authorization, persons: Persons) -> None:
        self._database = database
        self._authorization = authorization
        self._persons = persons

    async def page(self, caller: Caller, page: Page) -> dict[str, Any]:
        """A page of members, oldest first; with their names for those who may manage them."""
        organization = caller.organization
        may_see = await self._may_see_names(caller)
        async with self._database.transaction([organization]) as connection:
            rows = await store.members(
                connection,
                organization,
                page.filters.get("role"),
                page.after_or_nulls,
                page.rows_max,
            )
        names = await self._persons.profiles([row["id"] for row in rows]) if may_see else {}
        if names:
            audit.personal_read(organization)
        return page.of(rows, lambda row: decisions.named(row, names.get(row["id"])))

    async def show(self, caller: Caller, person: str) -> Shown:
        """A member, with the name for those who may manage them; ProblemError 404."""
        organization = caller.organization
        may_see = await self._may_see_names(caller)
        async with self._database.transaction([organization]) as connection:
            row = await _member(connection, organization, person)
        names = await self._persons.profiles([person]) if may_see else {}
        if names:
            audit.personal_read(person)
        return Shown(decisions.named(row, names.get(person)), row["version"])

    async def change(self, caller: Caller, person: str, change: Change) -> Shown:
        """The member in another role; ProblemError 403 above the own rank, 409, 412, 422."""
        organization, now = caller.organization, datetime.now(UTC)
        as_owner = await self._as_owner(caller)
        async with self._database.transaction([organization]) as connection:
            await lock(connection, organization)
            row = await _member(connection, organization, person)
            before = _settings(row)
            after = resources.changed(MemberSettings, before, change, row["version"])
            require_may(await role_of(connection, caller, as_owner), before.role, after.role)
            await _require_owner_left(connection, organization, before.role, after.role)
            await store.change(connection, organization, person, after.role, after.ends_at, now)
            row = await _member(connection, organization, person)
            await _tell(connection, row, before.role, after.role, now)
            return _shown(row)

    async def remove(self, caller: Caller, person: str, precondition: Precondition) -> None:
        """The member is none any more; ProblemError 403, 404, 409, 412."""
        as_owner = await self._as_owner(caller)
        await self._end(caller, person, precondition, as_owner, is_leaving=False)

    async def leave(self, caller: Caller) -> None:
        """The caller is no member any more; ProblemError 404, 409 for the last owner."""
        await self._end(caller, caller.id, Precondition(None), False, is_leaving=True)

    async def _end(
        self,
        caller: Caller,
        person: str,
        precondition: Precondition,
        as_owner: bool,
        *,
        is_leaving: bool,
    ) -> None:
        organization, now = caller.organization, datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            await lock(connection, organization)
            row = await _member(connection, organization, person)
            precondition.require(row["version"])
            if not is_leaving:
                require_may(await role_of(connection, caller, as_owner), row["role"], None)
            await _require_owner_left(connection, organization, row["role"], None)
            await store.remove(connection, organization, person, caller.id, now)
            await _tell(connection, row, row["role"], None, now)

    async def _may_see_names(self, caller: Caller) -> bool:
        question = Question(f"organization:{caller.organization}", "manage_members", caller.subject)
        return await self._authorization.is_allowed(question, is_fresh=True)

    async def _as_owner(self, caller: Caller) -> bool:
        question = Question(f"organization:{caller.organization}", _AS_OWNER, caller.subject)
        return await self._authorization.is_allowed(question, is_fresh=True)


async def lock(connection: AnyConnection, organization: str) -> None:
    """Wait for whoever changes it, or its people; ProblemError 404, 409 when it is closed."""
    row = await store_profiles.locked(connection, organization)
    if row is None:
        raise ProblemError("organization_not_found")
    if row["status"] == "closed":
        raise ProblemError("organization_state", "The organization is closed.")


def require_may(by: Role | None, before: Role | None, after: Role | None) -> None:
    """ProblemError 403 unless whoever is `by` may make somebody who is `before` be `after`."""
    if by is None or not decisions.may_change(by, before, after):
        raise ProblemError("role_above_own")


async def role_of(connection: AnyConnection, caller: Caller, as_owner: bool) -> Role | None:
    """What the caller is here by the edge's own row, else an owner if `as_owner`."""
    row = await store.member(connection, caller.organization, caller.id)
    if row is not None and decisions.is_active(row, datetime.now(UTC)):
        role: Role = row["role"]
        return role
    return "owner" if as_owner else None


async def _member(connection: AnyConnection, organization: str, person: str) -> Record:
    row = await store.member(connection, organization, person)
    if row is None or row["removed_at"] is not None:
        raise ProblemError("member_not_found")
    return row


async def _require_owner_left(
    connection: AnyConnection, organization: str, before: Role, after: Role | None
) -> None:
    decisions.require_owner_left(before, after, await store.owners(connection, organization))


async def _tell(
    connection: AnyConnection, row: Record, before: Role | None, after: Role | None, now: datetime
) -> None:
    organization, person, shown = row["organization"], row["person"], decisions.member(row)
    leftovers = []
    if after is None:  # Nor may anything be left on its funds.
        leftovers = [Relation(**dict(one)) for one in await store.all_written(connection, person)]
    member = MemberRow(organization, person, after, row["expires_at"])
    told = relationships.changes([member], now, leftovers)
    subject = f"{organization}:{person}:{now.timestamp()}"
    await audit.write(connection, person, organization=organization, before=before, after=after)
    event = announce(organization, decisions.event_of(before, after), person, shown, now)
    await outbox.queue(connection, [messages.permissions(organization, subject, told, now), event])


def _settings(row: Record) -> MemberSettings:
    expires_at = row["expires_at"]
    return MemberSettings(
        role=row["role"], expires_at=None if expires_at is None else spell_time(expires_at)
    )


def _shown(row: Record) -> Shown:
    return Shown(decisions.named(row, None), row["version"])


async def expel(
    connection: AnyConnection, organization: str, person: str, by: str, now: datetime
) -> None:
    """Let a member be none, whoever is left; the organization's row is locked by the caller."""
    row = await _member(connection, organization, person)
    await store.remove(connection, organization, person, by, now)
    await _tell(connection, row, row["role"], None, now)


async def seat(
    connection: AnyConnection,
    organization: str,
    person: str,
    role: Role,
    ends_at: datetime | None,
    by: str,
) -> None:
    """Give a person a role without asking whose it is to give: for operators' commands.

    In the caller's transaction and scope. ProblemError 404, 409 for a closed organization or for
    taking the last owner's role.
    """
    now = datetime.now(UTC)
    await lock(connection, organization)
    known = await store.member(connection, organization, person)
    before = known["role"] if known is not None and known["removed_at"] is None else None
    if before is not None:
        await _require_owner_left(connection, organization, before, role)
    await store.add(connection, organization, person, role, ends_at, by, now)
    row = await store.member(connection, organization, person)
    assert row is not None, "it was added in this transaction"
    await _tell(connection, row, before, role, now)
