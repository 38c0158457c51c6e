"""Campaigns in PostgreSQL, within the tenant scope of the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from edge.database.rows import Row, many, one
from edge.texts import moment_of
from topics.outbox import AnyConnection

_CAMPAIGN: Final = """
    SELECT c.id, c.organization, c.slug, c.name, c.story, c.kind, c.status, c.currency,
        c.goal_minor, c.fund, c.project, c.starts_at, c.ends_at, c.version, c.created_at,
        c.updated_at, coalesce((
            SELECT json_agg(json_build_object('currency', s.currency, 'raised_minor',
                s.raised_minor, 'gifts', s.gifts, 'fee_cover_minor', s.fee_cover_minor,
                'matched_minor', s.matched_minor) ORDER BY s.currency)
            FROM read.campaign_sums AS s
            WHERE s.campaign = c.id AND s.organization = c.organization), '[]')::text AS sums
    FROM edge.campaigns AS c WHERE c.organization = $1
"""
CAMPAIGN: Final = _CAMPAIGN + " AND c.id = $2"
CAMPAIGN_OF_SLUG: Final = _CAMPAIGN + " AND c.slug = $2"
LOCKED: Final = CAMPAIGN + " FOR UPDATE OF c"
CAMPAIGNS: Final = (
    _CAMPAIGN
    + """
    AND ($2::timestamptz IS NULL OR (c.created_at, c.id) > ($2, $3))
    AND ($4::text IS NULL OR c.status = $4) AND ($5::text IS NULL OR c.kind = $5)
    AND ($6::text IS NULL OR c.project = $6)
    ORDER BY c.created_at, c.id LIMIT $7
"""
)
_PUBLIC: Final = """
    SELECT id, organization, slug, name, story, kind, status, currency, goal_minor, starts_at,
        ends_at, created_at
    FROM edge.campaigns WHERE organization = $1
"""
#: What takes gifts at $2, or did: drafts and cancelled ones are nobody's business.
PUBLIC: Final = _PUBLIC + " AND slug = $2 AND status IN ('active', 'paused', 'completed')"
ALL_PUBLIC: Final = (
    _PUBLIC
    + """
    AND status = 'active' AND (starts_at IS NULL OR starts_at <= $2)
    AND (ends_at IS NULL OR ends_at > $2)
    AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
    ORDER BY created_at, id LIMIT $5
"""
)
INSERT: Final = """
    INSERT INTO edge.campaigns (id, organization, kind, currency, slug, name, story, status,
        goal_minor, fund, project, starts_at, ends_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
"""
UPDATE: Final = """
    UPDATE edge.campaigns SET slug = $3, name = $4, story = $5, status = $6, goal_minor = $7,
        fund = $8, project = $9, starts_at = $10, ends_at = $11, version = version + 1,
        updated_at = $12
    WHERE organization = $1 AND id = $2
"""


async def campaign(
    connection: AnyConnection, organization: str, name: str, *, for_update: bool = False
) -> Row | None:
    """One campaign by its id or short name (which has no underscore).

    By its id it is locked until the transaction ends, if it is to change.
    """
    if for_update:
        return await one(connection, LOCKED, organization, name)
    return await one(connection, CAMPAIGN if "_" in name else CAMPAIGN_OF_SLUG, organization, name)


async def campaigns(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    filters: Mapping[str, str],
    most: int,
) -> list[Row]:
    """Campaigns, oldest first, behind `after`."""
    return await many(
        connection,
        *(CAMPAIGNS, organization, *after, filters.get("status"), filters.get("kind")),
        *(filters.get("project"), most),
    )


async def public_campaign(connection: AnyConnection, organization: str, slug: str) -> Row | None:
    """One campaign that everybody may see."""
    return await one(connection, PUBLIC, organization, slug)


async def public_campaigns(
    connection: AnyConnection,
    organization: str,
    now: datetime,
    after: tuple[datetime | None, str | None],
    most: int,
) -> list[Row]:
    """Campaigns that take gifts now, oldest first, behind `after`."""
    return await many(connection, ALL_PUBLIC, organization, now, *after, most)


def _columns(values: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("slug", "name", "story", "status", "goal_minor", "fund", "project")
    dates = (moment_of(values["starts_at"]), moment_of(values["ends_at"]))
    return (*(values[name] for name in names), *dates)


async def insert(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """A new campaign; asyncpg.UniqueViolationError when its short name is taken."""
    kinds = (values["kind"], values["currency"])
    await connection.execute(INSERT, identifier, organization, *kinds, *_columns(values), now)


async def update(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """Another version of a campaign; asyncpg.UniqueViolationError as for a new one."""
    await connection.execute(UPDATE, organization, identifier, *_columns(values), now)
