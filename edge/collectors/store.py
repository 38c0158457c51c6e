"""Collectors, and which organizations allow them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from edge.collectors.models import CollectorProfile
from topics.outbox import AnyConnection

_COLLECTOR: Final = """
    SELECT id, name, kind, website, status, manager, version, created_at, updated_at
    FROM edge.collectors
"""
COLLECTOR: Final = _COLLECTOR + "WHERE id = $1"
LOCKED: Final = COLLECTOR + " FOR UPDATE"
MANAGED: Final = (
    _COLLECTOR
    + """
    WHERE manager = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
    ORDER BY created_at DESC, id DESC LIMIT $4
"""
)
COUNT: Final = "SELECT count(*) FROM edge.collectors WHERE manager = $1 AND status = 'active'"
MAKE: Final = """
    INSERT INTO edge.collectors (id, name, kind, website, manager, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)
"""
CHANGE: Final = """
    UPDATE edge.collectors
    SET name = $2, kind = $3, website = $4, version = version + 1, updated_at = now()
    WHERE id = $1
"""
CLOSE: Final = """
    UPDATE edge.collectors SET status = 'closed', version = version + 1, updated_at = $2
    WHERE id = $1 AND status = 'active'
"""
_COLLECTION: Final = """
    SELECT k.organization, o.slug AS organization_slug, k.collector, c.name AS collector_name,
        c.status AS collector_status, k.status, k.version, k.created_at, k.updated_at
"""
_JOINED: Final = """
    FROM edge.collections AS k JOIN edge.collectors AS c ON c.id = k.collector
    JOIN edge.organizations AS o ON o.id = k.organization
"""
COLLECTION: Final = _COLLECTION + _JOINED + "WHERE k.organization = $1 AND k.collector = $2"
_PAGED: Final = """
    AND ($2::text IS NULL OR k.status = $2)
    AND ($3::timestamptz IS NULL OR (k.created_at, {key}) > ($3, $4))
    ORDER BY k.created_at, {key} LIMIT $5
"""
OF_ORGANIZATION: Final = (
    _COLLECTION
    + ", k.collector AS id "
    + _JOINED
    + "WHERE k.organization = $1 "
    + _PAGED.format(key="k.collector")
)
OF_COLLECTOR: Final = (
    _COLLECTION
    + ", k.organization AS id "
    + _JOINED
    + "WHERE k.collector = $1 "
    + _PAGED.format(key="k.organization")
)
SET_COLLECTION: Final = """
    INSERT INTO edge.collections (collector, organization, status, allowed_by, created_at,
        updated_at)
    VALUES ($1, $2, $3, $4, $5, $5)
    ON CONFLICT (collector, organization) DO UPDATE
    SET status = excluded.status, allowed_by = excluded.allowed_by,
        version = collections.version + 1, updated_at = excluded.updated_at
"""


async def collector(connection: AnyConnection, identifier: str) -> Record | None:
    """A collector."""
    return await connection.fetchrow(COLLECTOR, identifier)


async def locked(connection: AnyConnection, identifier: str) -> Record | None:
    """A collector in scope; whatever else changes it waits."""
    return await connection.fetchrow(LOCKED, identifier)


async def managed(
    connection: AnyConnection, manager: str, after: Sequence[Any], rows_max: int
) -> list[Record]:
    """Those that a person manages, newest first."""
    return await connection.fetch(MANAGED, manager, *after, rows_max)


async def count(connection: AnyConnection, manager: str) -> int:
    """How many active ones a person manages."""
    number: int = await connection.fetchval(COUNT, manager)
    return number


async def make(
    connection: AnyConnection,
    identifier: str,
    profile: CollectorProfile,
    manager: str,
    now: datetime,
) -> None:
    """A new collector."""
    values = (profile.name, profile.kind, profile.website)
    await connection.execute(MAKE, identifier, *values, manager, now)


async def change(connection: AnyConnection, identifier: str, profile: CollectorProfile) -> None:
    """Set who it is."""
    await connection.execute(CHANGE, identifier, profile.name, profile.kind, profile.website)


async def close(connection: AnyConnection, identifier: str, now: datetime) -> None:
    """Let it collect no more."""
    await connection.execute(CLOSE, identifier, now)


async def collection(
    connection: AnyConnection, organization: str, identifier: str
) -> Record | None:
    """What an organization said of a collector."""
    return await connection.fetchrow(COLLECTION, organization, identifier)


async def collections(
    connection: AnyConnection,
    holder: str,
    status: str | None,
    after: Sequence[Any],
    rows_max: int,
) -> list[Record]:
    """What an organization said of collectors, or organizations of a collector; oldest first."""
    query = OF_COLLECTOR if holder.startswith("col_") else OF_ORGANIZATION
    return await connection.fetch(query, holder, status, *after, rows_max)


async def allowing(connection: AnyConnection, identifier: str) -> list[Record]:
    """What each organization that allows the collector in scope said."""
    return await connection.fetch(OF_COLLECTOR, identifier, "allowed", None, None, None)


async def set_collection(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    status: str,
    by: str,
    now: datetime,
) -> None:
    """Allow or revoke."""
    await connection.execute(SET_COLLECTION, identifier, organization, status, by, now)
