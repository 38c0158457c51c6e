"""Sessions as rows. What is written is of the person that the transaction's scope names."""

from datetime import datetime
from typing import Final

from edge.sessions.models import StoredSession
from topics.outbox import AnyConnection

_SESSION: Final = """
    SELECT id, person, authenticated_at, is_strong, agent, created_at, seen_at, expires_at,
        revoked_at
    FROM edge.sessions
"""
BY_SECRET: Final = _SESSION + "WHERE secret_hash = $1"
OF_PERSON: Final = _SESSION + "WHERE person = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
ADD: Final = """
    INSERT INTO edge.sessions (id, person, authenticated_at, is_strong, agent, created_at, seen_at,
        expires_at, secret_hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
SEE: Final = "UPDATE edge.sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2"
REVOKE: Final = """
    UPDATE edge.sessions SET revoked_at = coalesce(revoked_at, $3)
    WHERE person = $1 AND ($2::text IS NULL OR id = $2)
    RETURNING id
"""
TIDY: Final = """
    DELETE FROM edge.sessions
    WHERE person = $1 AND least(revoked_at, expires_at, seen_at + $3::interval) < $2
"""


async def by_secret(connection: AnyConnection, secret_hash: bytes) -> StoredSession | None:
    """The session with this secret, ended ones too."""
    row = await connection.fetchrow(BY_SECRET, secret_hash)
    return StoredSession(**row) if row is not None else None


async def of_person(connection: AnyConnection, person: str, most: int) -> list[StoredSession]:
    """The person's sessions, newest first, ended ones too."""
    return [StoredSession(**row) for row in await connection.fetch(OF_PERSON, person, most)]


async def add(connection: AnyConnection, session: StoredSession, secret_hash: bytes) -> None:
    """A new session."""
    await connection.execute(
        ADD,
        session.id,
        session.person,
        session.authenticated_at,
        session.is_strong,
        session.agent,
        session.created_at,
        session.seen_at,
        session.expires_at,
        secret_hash,
    )


async def see(connection: AnyConnection, session: str, now: datetime) -> None:
    """The session was used."""
    await connection.execute(SEE, session, now)


async def revoke(
    connection: AnyConnection, person: str, session: str | None, now: datetime
) -> list[str]:
    """End one of the person's sessions, or all; the ids of those."""
    return [row["id"] for row in await connection.fetch(REVOKE, person, session, now)]


async def tidy(
    connection: AnyConnection, person: str, ended_before: datetime, idle_max: object
) -> None:
    """Delete what ended before this moment."""
    await connection.execute(TIDY, person, ended_before, idle_max)
