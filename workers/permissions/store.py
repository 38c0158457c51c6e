"""Permissions in PostgreSQL: what SpiceDB shall hold, and each organization's newest token."""

from collections.abc import AsyncIterator
from typing import Final

from contracts.permissions import RelationshipChange
from topics.outbox import AnyConnection
from workers.permissions.decisions import Outcome

TOUCH: Final = """
    INSERT INTO permissions.relationships (organization, resource, relation, subject, expires_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    ON CONFLICT (resource, relation, subject) DO UPDATE SET expires_at = excluded.expires_at
    WHERE relationships.expires_at IS DISTINCT FROM excluded.expires_at
"""
DELETE: Final = """
    DELETE FROM permissions.relationships AS r
    USING unnest($1::text[], $2::text[], $3::text[]) AS gone (resource, relation, subject)
    WHERE (r.resource, r.relation, r.subject) = (gone.resource, gone.relation, gone.subject)
"""
TOKENS: Final = """
    INSERT INTO permissions.tokens (organization, zed_token)
    SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT (organization) DO UPDATE
    SET zed_token = excluded.zed_token, written_at = now()
"""
RENEW_SCOPE: Final = """
    SELECT set_config('app.organizations', string_agg(organization, ','), true)
    FROM permissions.tokens
"""
RENEW: Final = "UPDATE permissions.tokens SET zed_token = $1, written_at = now()"
ALL: Final = """
    SELECT resource, relation, subject, expires_at FROM permissions.relationships
    WHERE expires_at IS NULL OR expires_at > now()
    ORDER BY resource, relation, subject
"""


async def keep(connection: AnyConnection, outcome: Outcome) -> None:
    """Keep what SpiceDB holds now."""
    if outcome.touched:
        await connection.execute(
            TOUCH,
            [organization for organization, _ in outcome.touched],
            [change.resource for _, change in outcome.touched],
            [change.relation for _, change in outcome.touched],
            [change.subject for _, change in outcome.touched],
            [change.expires_at for _, change in outcome.touched],
        )
    if outcome.deleted:
        await connection.execute(
            DELETE,
            [change.resource for _, change in outcome.deleted],
            [change.relation for _, change in outcome.deleted],
            [change.subject for _, change in outcome.deleted],
        )
    organizations = sorted(outcome.tokens)
    await connection.execute(TOKENS, organizations, [outcome.tokens[o] for o in organizations])


async def all_relationships(
    connection: AnyConnection, batch_size: int
) -> AsyncIterator[list[RelationshipChange]]:
    """Every one that has not ended, as a change that touches it, in batches; in a transaction."""
    cursor = await connection.cursor(ALL)
    while rows := await cursor.fetch(batch_size):
        yield [RelationshipChange(operation="touch", **row) for row in rows]


async def renew_tokens(connection: AnyConnection, zed_token: str) -> None:
    """Give every organization this token; those of a SpiceDB that lost its memory mean nothing."""
    await connection.execute(RENEW_SCOPE)
    await connection.execute(RENEW, zed_token)
