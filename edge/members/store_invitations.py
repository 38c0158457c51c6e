"""Invitations. An open one is found by its organization, or by the hash of its token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from topics.outbox import AnyConnection

_INVITATION: Final = """
    SELECT id, organization, role, role_expires_at, email_hash, status, invited_by, accepted_by,
        expires_at, created_at
    FROM edge.invitations
"""
INVITATION: Final = _INVITATION + "WHERE organization = $1 AND id = $2"
BY_TOKEN: Final = _INVITATION + "WHERE token_hash = $1"
INVITATIONS: Final = (
    _INVITATION
    + """
    WHERE organization = $1 AND ($2::text IS NULL OR CASE
            WHEN status = 'open' AND expires_at <= now() THEN 'expired' ELSE status END = $2)
        AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
    ORDER BY created_at, id LIMIT $5
"""
)
INVITE: Final = """
    INSERT INTO edge.invitations (id, organization, role, role_expires_at, token_hash, email_hash,
        sealed, invited_by, expires_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""
# Another invitation of the same address takes the place of this one.
REPLACE: Final = """
    UPDATE edge.invitations SET status = 'revoked', sealed = NULL, updated_at = $3
    WHERE organization = $1 AND email_hash = $2 AND status = 'open'
    RETURNING id
"""
REVOKE: Final = """
    UPDATE edge.invitations SET status = 'revoked', sealed = NULL, updated_at = $3
    WHERE organization = $1 AND id = $2 AND status = 'open'
"""
ACCEPT: Final = """
    UPDATE edge.invitations
    SET status = 'accepted', sealed = NULL, accepted_by = $3, updated_at = $4
    WHERE organization = $1 AND id = $2
"""
#: The hash of the address that the person's provider has verified (edge/people).
ADDRESS_OF: Final = "SELECT email_hash FROM edge.people WHERE id = $1 AND forgotten_at IS NULL"


async def invitation(
    connection: AnyConnection, organization: str, identifier: str
) -> Record | None:
    """An invitation of the organization."""
    return await connection.fetchrow(INVITATION, organization, identifier)


async def by_token(connection: AnyConnection, token_hash: bytes) -> Record | None:
    """The invitation whose token's hash is in scope."""
    return await connection.fetchrow(BY_TOKEN, token_hash)


async def invitations(
    connection: AnyConnection,
    organization: str,
    status: str | None,
    after: Sequence[Any],
    rows_max: int,
) -> list[Record]:
    """Invitations, oldest first."""
    return await connection.fetch(INVITATIONS, organization, status, *after, rows_max)


async def invite(connection: AnyConnection, row: Sequence[Any], email_hash: bytes) -> list[str]:
    """Insert (columns as in INVITE) in place of an open one to the same address: its id."""
    organization, now = row[1], row[-1]
    replaced = await connection.fetch(REPLACE, organization, email_hash, now)
    await connection.execute(INVITE, *row)
    return [one["id"] for one in replaced]


async def revoke(
    connection: AnyConnection, organization: str, identifier: str, now: datetime
) -> None:
    """Let an open invitation be none."""
    await connection.execute(REVOKE, organization, identifier, now)


async def accept(
    connection: AnyConnection, organization: str, identifier: str, person: str, now: datetime
) -> None:
    """Let an open invitation be used up."""
    await connection.execute(ACCEPT, organization, identifier, person, now)


async def address_of(connection: AnyConnection, person: str) -> bytes | None:
    """The hash of the person's verified address, if they have one."""
    found: bytes | None = await connection.fetchval(ADDRESS_OF, person)
    return found
