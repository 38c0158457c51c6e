"""Funds in PostgreSQL, within the tenant scope of the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from edge.database.rows import Row, many, one
from topics.outbox import AnyConnection

_FUND: Final = """
    SELECT id, organization, name, kind, currency, description, goal_minor, visibility, is_default,
        is_active, version, created_at, updated_at
    FROM edge.funds WHERE organization = $1
"""
FUND: Final = _FUND + " AND id = $2"
LOCKED: Final = FUND + " FOR UPDATE"
FUNDS: Final = (
    _FUND
    + """
    AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
    AND ($4::text IS NULL OR currency = $4) AND ($5::text IS NULL OR kind = $5)
    AND ($6::boolean IS NULL OR is_active = $6)
    ORDER BY created_at, id LIMIT $7
"""
)
INSERT: Final = """
    INSERT INTO edge.funds (id, organization, name, kind, currency, description, goal_minor,
        visibility, is_default, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""
UPDATE: Final = """
    UPDATE edge.funds SET name = $3, kind = $4, description = $5, goal_minor = $6, visibility = $7,
        is_default = $8, is_active = $9, version = version + 1, updated_at = $10
    WHERE organization = $1 AND id = $2
"""
#: Changes of an organization's funds are made one after the other: they share the default.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('funds/' || $1, 0))"
NO_DEFAULT: Final = """
    UPDATE edge.funds SET is_default = false, version = version + 1, updated_at = $4
    WHERE organization = $1 AND currency = $2 AND is_default AND id <> $3 RETURNING id
"""
HELD: Final = """
    SELECT coalesce(sum(amount), 0)::bigint FROM read.balances
    WHERE organization = $1 AND fund = $2 AND account LIKE 'Assets:%'
"""


async def fund(
    connection: AnyConnection, organization: str, identifier: str, *, for_update: bool = False
) -> Row | None:
    """One fund of the organization, locked until the transaction ends if it is to change."""
    return await one(connection, LOCKED if for_update else FUND, organization, identifier)


async def funds(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    filters: Mapping[str, str],
    most: int,
) -> list[Row]:
    """Funds, oldest first, behind `after`."""
    status = filters.get("status")
    is_active = None if status is None else status == "active"
    return await many(
        connection,
        *(FUNDS, organization, *after, filters.get("currency"), filters.get("kind")),
        *(is_active, most),
    )


async def lock(connection: AnyConnection, organization: str) -> None:
    """Wait for whoever changes funds of the organization at this moment."""
    await connection.execute(LOCK, organization)


async def insert(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """A new fund."""
    names = ("name", "kind", "currency", "description", "goal_minor", "visibility", "is_default")
    given = [values[name] for name in names]
    await connection.execute(INSERT, identifier, organization, *given, now)


async def update(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """Another version of a fund."""
    names = ("name", "kind", "description", "goal_minor", "visibility", "is_default")
    given = [values[name] for name in names]
    is_active = values["status"] == "active"
    await connection.execute(UPDATE, organization, identifier, *given, is_active, now)


async def unset_default(
    connection: AnyConnection, organization: str, currency: str, heir: str, now: datetime
) -> str | None:
    """Let no fund of the currency but `heir` be the default; the id of the one that was."""
    former: str | None = await connection.fetchval(NO_DEFAULT, organization, currency, heir, now)
    return former


async def held_minor(connection: AnyConnection, organization: str, identifier: str) -> int:
    """What the ledger says that a fund holds."""
    amount: int = await connection.fetchval(HELD, organization, identifier)
    return amount
