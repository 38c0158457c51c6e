"""Projects and their news in PostgreSQL, within the tenant scope of the caller's transaction."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import orjson

from edge.database.rows import Row, many, one
from edge.texts import day_of
from topics.outbox import AnyConnection

_PROJECT: Final = """
    SELECT p.id, p.organization, p.fund, f.currency, p.name, p.description, p.status,
        p.budget_minor, p.starts_on, p.ends_on, p.impact::text AS impact, p.version, p.created_at,
        p.updated_at, coalesce((
            SELECT -sum(t.amount)::bigint FROM read.transactions AS t
            WHERE t.project = p.id AND t.organization = p.organization
                AND t.type IN ('expense', 'grant_out', 'refund_received')), 0) AS spent_minor
    FROM edge.projects AS p JOIN edge.funds AS f ON f.id = p.fund
    WHERE p.organization = $1
"""
PROJECT: Final = _PROJECT + " AND p.id = $2"
LOCKED: Final = PROJECT + " FOR UPDATE OF p"
PROJECTS: Final = (
    _PROJECT
    + """
    AND ($2::timestamptz IS NULL OR (p.created_at, p.id) > ($2, $3))
    AND ($4::text IS NULL OR p.status = $4) AND ($5::text IS NULL OR p.fund = $5)
    ORDER BY p.created_at, p.id LIMIT $6
"""
)
INSERT: Final = """
    INSERT INTO edge.projects (id, organization, fund, name, description, status, budget_minor,
        starts_on, ends_on, impact, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
"""
UPDATE: Final = """
    UPDATE edge.projects SET name = $3, description = $4, status = $5, budget_minor = $6,
        starts_on = $7, ends_on = $8, impact = $9, version = version + 1, updated_at = $10
    WHERE organization = $1 AND id = $2
"""
IS_THERE: Final = "SELECT EXISTS (SELECT FROM edge.projects WHERE organization = $1 AND id = $2)"
INSERT_UPDATE: Final = """
    INSERT INTO edge.project_updates (id, organization, project, title, text, dated, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_UPDATE: Final = """
    SELECT id, project, title, text, dated, created_at FROM edge.project_updates
    WHERE organization = $1 AND project = $2
"""
NEWS: Final = _UPDATE + " AND id = $3"
ALL_NEWS: Final = (
    _UPDATE
    + """
    AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
    ORDER BY created_at, id LIMIT $5
"""
)


async def project(
    connection: AnyConnection, organization: str, identifier: str, *, for_update: bool = False
) -> Row | None:
    """One project, locked until the transaction ends if it is to change."""
    return await one(connection, LOCKED if for_update else PROJECT, organization, identifier)


async def projects(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    filters: Mapping[str, str],
    most: int,
) -> list[Row]:
    """Projects, oldest first, behind `after`."""
    return await many(
        connection,
        *(PROJECTS, organization, *after, filters.get("status"), filters.get("fund"), most),
    )


async def is_there(connection: AnyConnection, organization: str, identifier: str) -> bool:
    """Whether the organization has such a project."""
    return bool(await connection.fetchval(IS_THERE, organization, identifier))


def _columns(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        *(values["name"], values["description"], values["status"], values["budget_minor"]),
        *(day_of(values["starts_on"]), day_of(values["ends_on"])),
        orjson.dumps(values["impact"]).decode(),
    )


async def insert(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """A new project."""
    await connection.execute(
        INSERT, identifier, organization, values["fund"], *_columns(values), now
    )


async def update(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """Another version of a project."""
    await connection.execute(UPDATE, organization, identifier, *_columns(values), now)


async def insert_news(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    project_: str,
    told: tuple[str, str, date | None],
    now: datetime,
) -> None:
    """News of a project: title, text, day."""
    await connection.execute(INSERT_UPDATE, identifier, organization, project_, *told, now)


async def news(
    connection: AnyConnection, organization: str, project_: str, identifier: str
) -> Row | None:
    """One of a project's news."""
    return await one(connection, NEWS, organization, project_, identifier)


async def all_news(
    connection: AnyConnection,
    organization: str,
    project_: str,
    after: tuple[datetime | None, str | None],
    most: int,
) -> list[Row]:
    """A project's news, in the order of telling, behind `after`."""
    return await many(connection, ALL_NEWS, organization, project_, *after, most)
