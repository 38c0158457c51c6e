"""Rates of organizations' keys that differ from everybody's, in the role of operations."""

from typing import Any, Final

SET_SCOPE: Final = "SELECT set_config('app.organizations', $1, true)"
LIST: Final = """
    SELECT o.slug, r.organization, r.rate, r.most, r.decided_at
    FROM edge.rate_limits AS r JOIN read.organizations AS o ON o.id = r.organization
    WHERE $1::text IS NULL OR r.organization = $1 ORDER BY o.slug, r.rate
"""
ONE: Final = "SELECT most FROM edge.rate_limits WHERE organization = $1 AND rate = $2 FOR UPDATE"
SET: Final = """
    INSERT INTO edge.rate_limits (organization, rate, most) VALUES ($1, $2, $3)
    ON CONFLICT (rate, organization) DO UPDATE SET most = excluded.most, decided_at = now()
"""
RESET: Final = "DELETE FROM edge.rate_limits WHERE organization = $1 AND rate = $2"


async def adjusted(connection: Any, organization: str | None) -> list[dict[str, Any]]:
    """All of them, or one organization's."""
    return [dict(row) for row in await connection.fetch(LIST, organization)]


async def set_scope(connection: Any, organization: str) -> None:
    """Let this transaction write rows of this organization."""
    await connection.execute(SET_SCOPE, organization)


async def current(connection: Any, organization: str, rate: str) -> int | None:
    """What the organization has instead of everybody's rate, locked; None: nothing."""
    most: int | None = await connection.fetchval(ONE, organization, rate)
    return most


async def adjust(connection: Any, organization: str, rate: str, most: int | None) -> None:
    """Give an organization a rate of its own; None: everybody's again."""
    if most is None:
        await connection.execute(RESET, organization, rate)
    else:
        await connection.execute(SET, organization, rate, most)
