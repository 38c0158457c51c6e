"""Who works for the platform: roles on `platform:amply`, given and taken by superusers."""

from datetime import UTC, datetime
from typing import Any, Final

from asyncpg import Record

from edge.audit import writing as audit
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.members import decisions, store
from edge.organizations import messages, relationships
from edge.organizations.relationships import StaffRow
from topics import outbox
from topics.outbox import AnyConnection

_ROWS_MAX: Final = 1000


async def set_role(
    connection: AnyConnection, person: str, role: str | None, by: str
) -> dict[str, Any]:
    """Give a person the role, or take it (None), in the caller's transaction and scope.

    ProblemError 404 for taking what nobody has, 409 for the last superuser's.
    """
    now = datetime.now(UTC)
    platform = await store.platform_organization(connection)
    if platform is None:
        raise ProblemError("unavailable", "The platform's organization is not registered.")
    await store.lock_staff(connection)
    before = await store.staff(connection, person)
    is_active = before is not None and before["removed_at"] is None
    if role is None and not is_active:
        raise ProblemError("member_not_found")
    if before is not None and is_active and before["role"] == "superuser" and role != "superuser":
        others = [row for row in await store.all_staff(connection) if row["person"] != person]
        if not any(row["role"] == "superuser" for row in others):
            raise ProblemError("last_owner")
    if role is None:
        await store.remove_staff(connection, person, now)
    else:
        await store.set_staff(connection, person, role, by, now)
    await audit.write(
        connection, person, before=before["role"] if before is not None else None, after=role
    )
    changes = relationships.changes([StaffRow(person, role)], now)
    subject = f"staff:{person}:{now.timestamp()}"
    await outbox.queue(connection, [messages.permissions(platform, subject, changes, now)])
    row = await store.staff(connection, person)
    assert row is not None, "it was written in this transaction, or before"
    return decisions.staff(row)


class Staff:
    """The platform's people, for those who have `manage_staff`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[dict[str, Any]]:
        """Who has a role, oldest first."""
        async with self._database.transaction([]) as connection:
            rows: list[Record] = await store.all_staff(connection)
        return [decisions.staff(row) for row in rows[:_ROWS_MAX]]

    async def set_role(self, person: str, role: str | None, by: str) -> dict[str, Any]:
        """Give a person the role, or take it; ProblemError 404, 409."""
        async with self._database.transaction([person]) as connection:
            return await set_role(connection, person, role, by)
