"""Members, staff, and what SpiceDB was told of them.

Whoever writes members holds the lock of their organization's row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from topics.outbox import AnyConnection

_MEMBER: Final = """
    SELECT person, person AS id, organization, role, expires_at, removed_at, version, created_at,
        updated_at
    FROM edge.members
"""
MEMBER: Final = _MEMBER + "WHERE organization = $1 AND person = $2"
MEMBERS: Final = (
    _MEMBER
    + """
    WHERE organization = $1 AND removed_at IS NULL AND ($2::text IS NULL OR role = $2)
        AND ($3::timestamptz IS NULL OR (created_at, person) > ($3, $4))
    ORDER BY created_at, person LIMIT $5
"""
)
# Somebody who comes back is a new member, of the same row.
ADD: Final = """
    INSERT INTO edge.members (organization, person, role, expires_at, added_by, created_at,
        updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)
    ON CONFLICT (person, organization) DO UPDATE
    SET role = excluded.role, expires_at = excluded.expires_at, added_by = excluded.added_by,
        removed_at = NULL, removed_by = NULL, created_at = excluded.created_at,
        updated_at = excluded.updated_at, version = members.version + 1
"""
CHANGE: Final = """
    UPDATE edge.members SET role = $3, expires_at = $4, version = version + 1, updated_at = $5
    WHERE organization = $1 AND person = $2
"""
REMOVE: Final = """
    UPDATE edge.members
    SET removed_at = $4, removed_by = $3, version = version + 1, updated_at = $4
    WHERE organization = $1 AND person = $2
"""
OWNERS: Final = """
    SELECT count(*) FROM edge.members
    WHERE organization = $1 AND role = 'owner' AND removed_at IS NULL
"""
STAFF: Final = """
    SELECT person, role, removed_at, NULL::timestamptz AS expires_at, version, created_at,
        updated_at
    FROM edge.staff WHERE person = $1
"""
ALL_STAFF: Final = """
    SELECT person, role, created_at, updated_at FROM edge.staff WHERE removed_at IS NULL
    ORDER BY created_at, person
"""
# Two superusers cannot take each other's role at the same moment.
LOCK_STAFF: Final = "SELECT pg_advisory_xact_lock(hashtextextended('edge.staff', 0))"
SET_STAFF: Final = """
    INSERT INTO edge.staff (person, role, added_by, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $4)
    ON CONFLICT (person) DO UPDATE
    SET role = excluded.role, added_by = excluded.added_by, removed_at = NULL,
        updated_at = excluded.updated_at, version = staff.version + 1
"""
REMOVE_STAFF: Final = """
    UPDATE edge.staff SET removed_at = $2, updated_at = $2, version = version + 1 WHERE person = $1
"""
WRITTEN: Final = """
    SELECT relation FROM read.roles_written WHERE resource = $1 AND subject = 'user:' || $2
"""
ALL_WRITTEN: Final = """
    SELECT resource, relation, subject FROM read.roles_written
    WHERE subject = 'user:' || $1
        AND (resource LIKE 'organization:%' OR resource LIKE 'fund:%')
"""
PLATFORM_ORGANIZATION: Final = "SELECT id FROM edge.organizations WHERE is_platform"


async def member(connection: AnyConnection, organization: str, person: str) -> Record | None:
    """The person's row, also when they have gone."""
    return await connection.fetchrow(MEMBER, organization, person)


async def members(
    connection: AnyConnection,
    organization: str,
    role: str | None,
    after: Sequence[Any],
    rows_max: int,
) -> list[Record]:
    """Those who are members, or whose time is over, oldest first."""
    return await connection.fetch(MEMBERS, organization, role, *after, rows_max)


async def add(
    connection: AnyConnection,
    organization: str,
    person: str,
    role: str,
    expires_at: datetime | None,
    added_by: str,
    now: datetime,
) -> None:
    """Make a person a member, again perhaps."""
    await connection.execute(ADD, organization, person, role, expires_at, added_by, now)


async def change(
    connection: AnyConnection,
    organization: str,
    person: str,
    role: str,
    expires_at: datetime | None,
    now: datetime,
) -> None:
    """Set a member's role."""
    await connection.execute(CHANGE, organization, person, role, expires_at, now)


async def remove(
    connection: AnyConnection, organization: str, person: str, removed_by: str, now: datetime
) -> None:
    """Let a member be none."""
    await connection.execute(REMOVE, organization, person, removed_by, now)


async def owners(connection: AnyConnection, organization: str) -> int:
    """How many owners there are."""
    number: int = await connection.fetchval(OWNERS, organization)
    return number


async def staff(connection: AnyConnection, person: str) -> Record | None:
    """The person's row at the platform, also when they have gone."""
    return await connection.fetchrow(STAFF, person)


async def all_staff(connection: AnyConnection) -> list[Record]:
    """Who has a role at the platform."""
    return await connection.fetch(ALL_STAFF)


async def lock_staff(connection: AnyConnection) -> None:
    """Wait for whoever changes the platform's roles."""
    await connection.execute(LOCK_STAFF)


async def set_staff(
    connection: AnyConnection, person: str, role: str, added_by: str, now: datetime
) -> None:
    """Give a person a role at the platform."""
    await connection.execute(SET_STAFF, person, role, added_by, now)


async def remove_staff(connection: AnyConnection, person: str, now: datetime) -> None:
    """Take it."""
    await connection.execute(REMOVE_STAFF, person, now)


async def written(connection: AnyConnection, resource: str, person: str) -> set[str]:
    """The roles on a resource that SpiceDB was told of."""
    return {row["relation"] for row in await connection.fetch(WRITTEN, resource, person)}


async def all_written(connection: AnyConnection, person: str) -> list[Record]:
    """What SpiceDB was told of a person on the organization in scope and its funds."""
    return await connection.fetch(ALL_WRITTEN, person)


async def platform_organization(connection: AnyConnection) -> str | None:
    """The platform's own organization: whose affair its staff is."""
    found: str | None = await connection.fetchval(PLATFORM_ORGANIZATION)
    return found
