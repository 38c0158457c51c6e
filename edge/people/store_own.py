"""What one person has here: read and ended in the scope of that person (`store.set_scope`).

What is kept with organizations is seen by whoever has the person among the organizations in scope.
"""

from datetime import datetime
from typing import Any, Final

from topics.outbox import AnyConnection

Row = dict[str, Any]

PERSON: Final = "SELECT created_at, forgotten_at FROM edge.people WHERE id = $1"
MEMBERSHIPS: Final = """
    SELECT m.organization, o.slug, o.status, m.role, m.expires_at, m.removed_at, m.created_at,
        m.updated_at
    FROM edge.members AS m JOIN edge.organizations AS o ON o.id = m.organization
    WHERE m.person = $1 ORDER BY m.created_at, m.organization
"""
COLLECTORS: Final = """
    SELECT id, name, kind, website, status, created_at FROM edge.collectors
    WHERE manager = $1 ORDER BY created_at, id
"""
APPLICATIONS: Final = """
    SELECT id, slug, status, created_at FROM edge.organizations
    WHERE applied_by = $1 ORDER BY created_at, id
"""
ERASURE: Final = """
    SELECT id, basis, requested_at, done_at FROM edge.person_erasures WHERE person = $1
"""
ASK: Final = """
    INSERT INTO edge.person_erasures (id, person, basis, requested_at) VALUES ($1, $2, $3, $4)
"""
WAKE: Final = "SELECT pg_notify('erasure_requested', '')"


async def created_at(connection: AnyConnection, person: str) -> datetime | None:
    """When the person was first seen."""
    moment: datetime | None = await connection.fetchval(PERSON, person)
    return moment


async def memberships(connection: AnyConnection, person: str) -> list[Row]:
    """Where the person is or was a member, oldest first."""
    return [dict(row) for row in await connection.fetch(MEMBERSHIPS, person)]


async def collectors(connection: AnyConnection, person: str) -> list[Row]:
    """The collectors that the person manages."""
    return [dict(row) for row in await connection.fetch(COLLECTORS, person)]


async def applications(connection: AnyConnection, person: str) -> list[Row]:
    """The organizations that the person applied for."""
    return [dict(row) for row in await connection.fetch(APPLICATIONS, person)]


async def erasure(connection: AnyConnection, person: str) -> Row | None:
    """What the person asked for, if they did."""
    row = await connection.fetchrow(ERASURE, person)
    return dict(row) if row is not None else None


async def ask(
    connection: AnyConnection, identifier: str, person: str, basis: str, now: datetime
) -> None:
    """Have the person forgotten."""
    await connection.execute(ASK, identifier, person, basis, now)
    await connection.execute(WAKE)
