"""API keys as their holders see them: the organization, or the collector, in scope."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from topics.outbox import AnyConnection

_KEY: Final = """
    SELECT k.id, coalesce(k.organization, k.collector) AS holder, k.organization, k.name, k.kind,
        k.environment, k.hint, k.scopes, k.funds, k.origins, k.expires_at, k.revoked_at,
        k.rotated_at, k.previous_until, u.last_used_at, k.created_by, k.created_at, k.version
    FROM edge.api_keys AS k LEFT JOIN edge.api_key_uses AS u ON u.api_key = k.id
    WHERE coalesce(k.organization, k.collector) = $1
"""
KEY: Final = _KEY + "AND k.id = $2"
KEYS: Final = (
    _KEY
    + """
    AND ($2::text IS NULL OR k.kind = $2)
    AND ($3::timestamptz IS NULL OR (k.created_at, k.id) < ($3, $4))
    ORDER BY k.created_at DESC, k.id DESC LIMIT $5
"""
)
MAKE: Final = """
    INSERT INTO edge.api_keys (id, organization, collector, name, kind, environment, secret_hash,
        hint, scopes, funds, origins, expires_at, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
# Of a secret that was to serve on after an earlier rotation nothing is left.
ROTATE: Final = """
    UPDATE edge.api_keys
    SET previous_hash = secret_hash, previous_until = $4, secret_hash = $2, hint = $3,
        rotated_at = $5, version = version + 1
    WHERE id = $1
"""
REVOKE: Final = """
    UPDATE edge.api_keys SET revoked_at = coalesce(revoked_at, $2), version = version + 1
    WHERE id = $1
"""
HOLDER: Final = "SELECT coalesce(organization, collector) FROM edge.api_keys WHERE id = $1"
COUNT: Final = """
    SELECT count(*) FROM edge.api_keys
    WHERE coalesce(organization, collector) = $1 AND revoked_at IS NULL
"""
# Two holders' keys, at any number of edges: the newest hour wins.
USED: Final = """
    INSERT INTO edge.api_key_uses (api_key, holder, last_used_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
    ON CONFLICT (api_key, holder) DO UPDATE
    SET last_used_at = greatest(api_key_uses.last_used_at, excluded.last_used_at)
"""


async def key(connection: AnyConnection, holder: str, identifier: str) -> Record | None:
    """A key of the holder."""
    return await connection.fetchrow(KEY, holder, identifier)


async def keys(
    connection: AnyConnection, holder: str, kind: str | None, after: Sequence[Any], rows_max: int
) -> list[Record]:
    """The holder's keys, newest first."""
    return await connection.fetch(KEYS, holder, kind, *after, rows_max)


async def count(connection: AnyConnection, holder: str) -> int:
    """How many keys of the holder are not revoked."""
    number: int = await connection.fetchval(COUNT, holder)
    return number


async def make(connection: AnyConnection, row: Sequence[Any]) -> None:
    """Insert a key (columns as in MAKE)."""
    await connection.execute(MAKE, *row)


async def rotate(
    connection: AnyConnection,
    identifier: str,
    secret_hash: bytes,
    hint: str,
    previous_until: datetime,
    now: datetime,
) -> None:
    """Another secret; the one before serves until that time."""
    await connection.execute(ROTATE, identifier, secret_hash, hint, previous_until, now)


async def revoke(connection: AnyConnection, identifier: str, now: datetime) -> None:
    """Let the key be none."""
    await connection.execute(REVOKE, identifier, now)


async def holder_of(connection: AnyConnection, identifier: str) -> str | None:
    """Whose key it is."""
    found: str | None = await connection.fetchval(HOLDER, identifier)
    return found


async def used(connection: AnyConnection, uses: Mapping[tuple[str, str], datetime]) -> None:
    """Keep when keys were last used, by (key, holder); all holders are in scope."""
    rows = [(key, holder, uses[key, holder]) for key, holder in sorted(uses)]
    await connection.execute(USED, *map(list, zip(*rows, strict=True)))
