"""Organizations from their application to their end: what their people and staff do with them.

Whatever changes an organization or its people locks its row first, and leaves in one transaction
with the messages that must follow: relationships for SpiceDB, the genesis of a verified one.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
from asyncpg import Record

from contracts.donations import Visibility
from contracts.identifiers import random_id, type_id
from contracts.permissions import RelationshipChange
from edge import resources
from edge.audit import writing as audit
from edge.authorization import Authorization
from edge.caller import Caller
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.listing import Columns, Page
from edge.members import decisions as memberships
from edge.members import store as members
from edge.organizations import decisions, messages, relationships, store, store_profiles
from edge.organizations.decisions import Action, State
from edge.organizations.models import OrganizationApplication, OrganizationProfile
from edge.organizations.relationships import FundRow, MemberRow, OrganizationRow
from edge.organizations.service import fund_opened
from edge.resources import Change, Command
from edge.showing import require_may_show
from topics import outbox
from topics.codec import Record as Message
from topics.outbox import AnyConnection

#: One person cannot fill the staff's queue.
WAITING_MAX = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """An organization as the API shows it, its version, and whether it was there before."""

    resource: dict[str, Any]
    version: int
    is_replay: bool = False


class Applications:
    """What becomes of organizations. `origin` is the log's name, which a genesis states."""

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin

    async def apply(self, command: Command[OrganizationApplication]) -> Shown:
        """A pending organization, whose owner the person is; ProblemError 409."""
        now = datetime.now(UTC)
        person = command.created_by
        organization = type_id("org", random_id(now))
        async with self._database.transaction([command.tenant, organization]) as connection:
            made = await resources.claim(connection, command, organization)
            if made is not None:
                return _shown(await _found(connection, made), is_replay=True)
            if await store_profiles.waiting(connection, person) >= WAITING_MAX:
                raise ProblemError("too_many_applications")
            try:
                await store_profiles.apply(connection, organization, command.body, person, now)
            except asyncpg.UniqueViolationError as error:
                raise ProblemError("slug_taken", param="slug") from error
            await members.add(connection, organization, person, "owner", None, person, now)
            await audit.write(connection, organization, organization=organization, after="pending")
            row = await _found(connection, organization)
            owner = await members.member(connection, organization, person)
            assert owner is not None, "they were added in this transaction"
            applied = OrganizationRow(organization, row["status"], row["review"], True)
            changes = relationships.changes(
                [applied, MemberRow(organization, person, "owner")], now
            )
            told = [
                messages.permissions(organization, organization, changes, now),
                _event(row, "organization.created", now),
                announce(organization, "member.added", person, memberships.member(owner), now),
            ]
            await outbox.queue(connection, told)
            return _shown(row)

    async def show(self, organization: str) -> Shown:
        """An organization by its id."""
        async with self._database.transaction([organization]) as connection:
            return _shown(await _found(connection, organization))

    async def change(self, organization: str, change: Change) -> Shown:
        """Its profile after a change; ProblemError 409 when it is closed, 412, 422."""
        now = datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            row = await _locked(connection, organization)
            if row["status"] == "closed":
                raise ProblemError("organization_state", "The organization is closed.")
            before = _profile(row)
            wanted = resources.changed(OrganizationProfile, before, change, row["version"])
            await store_profiles.change(connection, organization, wanted)
            await audit.write(
                connection,
                organization,
                organization=organization,
                before=before.model_dump(),
                after=wanted.model_dump(),
            )
            row = await _found(connection, organization)
            await outbox.queue(connection, [_event(row, "organization.updated", now)])
            return _shown(row)

    async def set_visibility(
        self, authorization: Authorization, caller: Caller, visibility: Visibility
    ) -> Shown:
        """What coming entries show; ProblemError 403 for more than the caller may show, 409."""
        organization, now = caller.organization, datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            row = await _locked(connection, organization)
            if row["status"] == "closed":
                raise ProblemError("organization_state", "The organization is closed.")
            before = row["visibility"]
            await require_may_show(authorization, caller, organization, visibility, before)
            await store_profiles.set_visibility(connection, organization, visibility)
            change = {"before": before, "after": visibility}
            await audit.write(connection, organization, organization=organization, **change)
            row = await _found(connection, organization)
            await outbox.queue(connection, [_event(row, "organization.updated", now)])
            return _shown(row)

    async def act(
        self,
        organization: str,
        action: Action,
        reason: str | None = None,
        verification_level: str | None = None,
    ) -> Shown:
        """The organization after an action; doing it again changes nothing. ProblemError 409."""
        now = datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            row = await _locked(connection, organization)
            state = State(row["status"], row["review"])
            if decisions.is_done(state, action):
                now_so = [state.status, state.review]
                await audit.write(
                    *(connection, organization),
                    organization=organization,
                    before=now_so,
                    after=now_so,
                )
                return _shown(row)
            following = decisions.after(state, action)
            await store_profiles.move(
                connection, organization, following, reason, now, verification_level
            )
            told: list[Message] = []
            funds: list[str] = []
            if action == "approve":
                funds, told = await _funds(connection, row, now)
                told.append(messages.genesis(organization, row["name"], self._origin, now))
            if changes := _changes(row, following, funds, now):
                subject = f"{organization}:{row['version']}:{action}"
                told.append(messages.permissions(organization, subject, changes, now))
            await audit.write(
                connection,
                organization,
                organization=organization,
                before=[state.status, state.review],
                after=[following.status, following.review],
            )
            row = await _found(connection, organization)
            await outbox.queue(connection, [*told, _event(row, decisions.event_of(action), now)])
            return _shown(row)

    async def mine(self, caller: Caller, page: Page) -> dict[str, Any]:
        """Those that a person is a member of, newest first; of a key its own."""
        async with self._database.transaction([resources.tenant_of(caller)]) as connection:
            if caller.kind == "person":
                rows = await store_profiles.of_person(
                    connection, caller.id, page.after_or_nulls, page.rows_max
                )
            else:
                row = await store_profiles.one(connection, caller.organization)
                rows = [row] if row is not None and page.after is None else []
        return page.of(rows, decisions.resource)

    async def listed(self, page: Page) -> dict[str, Any]:
        """A page of the public list, newest first."""
        asked = page.filters
        search = asked.get("search")
        async with self._database.transaction([]) as connection:
            rows = await store_profiles.listed(
                connection,
                None if search is None else f"%{_escaped(search)}%",
                int(asked["sdg"]) if "sdg" in asked else None,
                asked.get("country"),
                page.after_or_nulls,
                page.rows_max,
            )
        return page.of(rows, decisions.public_profile)

    async def queue(self, page: Page) -> dict[str, Any]:
        """A page of all organizations, for staff: those that waited longest first."""
        asked = page.filters
        async with self._database.transaction([]) as connection:
            rows = await store_profiles.queue(
                connection,
                asked.get("status"),
                asked.get("review"),
                page.after_or_nulls,
                page.rows_max,
            )
        return page.of(rows, decisions.resource)


def _changes(
    row: Record, following: State, funds: list[str], now: datetime
) -> list[RelationshipChange]:
    """What SpiceDB is told of an organization that is so from now on; nothing if it is the same."""
    before = OrganizationRow(row["id"], row["status"], row["review"], row["accepts_donations"])
    after = replace(before, status=following.status, review=following.review)
    if relationships.following([before], now) == relationships.following([after], now):
        return []
    return relationships.changes([after, *(FundRow(one, row["id"]) for one in funds)], now)


async def _funds(
    connection: AnyConnection, row: Record, now: datetime
) -> tuple[list[str], list[Message]]:
    """The organization's funds; a first one in its currency, with its event, when it has none."""
    known = await store.funds(connection, row["id"])
    if known:
        return sorted(known), []
    fund = type_id("fund", random_id(now))
    await store.insert_fund(connection, fund, row["id"], "General", row["default_currency"], now)
    return [fund], [await fund_opened(connection, row["id"], fund, now)]


def _event(row: Record, event: str, now: datetime) -> Message:
    return announce(row["id"], event, row["id"], decisions.announced(row), now)


async def _locked(connection: AnyConnection, organization: str) -> Record:
    row = await store_profiles.locked(connection, organization)
    if row is None:
        raise ProblemError("organization_not_found")
    return row


async def _found(connection: AnyConnection, organization: str) -> Record:
    row = await store_profiles.one(connection, organization)
    if row is None:
        raise ProblemError("organization_not_found")
    return row


def _shown(row: Columns, *, is_replay: bool = False) -> Shown:
    return Shown(decisions.resource(row), row["version"], is_replay)


def _profile(row: Record) -> OrganizationProfile:
    """What is known of it; one that operators registered never said where it is."""
    names = OrganizationProfile.model_fields
    return OrganizationProfile.model_construct(**{name: row[name] for name in names})


def _escaped(search: str) -> str:
    """The text with what ILIKE would read as a wildcard taken literally."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
