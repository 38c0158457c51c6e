"""The edge's rows that say which relationships should be, and what was recorded of them.

Members and collections are seen within the tenant scope only: whoever reads names organizations.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from edge.database.store import set_scope
from edge.members.store import lock_staff
from edge.organizations.relationships import (
    CollectionRow,
    CollectorRow,
    FundRow,
    KeyRow,
    MemberRow,
    OrganizationRow,
    Row,
    StaffRow,
)
from edge.organizations.store_profiles import locked
from edge.reconciler.decisions import Recorded
from edge.spicedb import Relation
from topics.outbox import AnyConnection

AT_ONCE: Final = 100
ORGANIZATIONS: Final = "SELECT id FROM edge.organizations WHERE id > $1 ORDER BY id LIMIT $2"
PLATFORM: Final = "SELECT id FROM edge.organizations WHERE is_platform"
#: Columns in the order of each kind's fields.
ROWS: Final[tuple[tuple[type[Row], str], ...]] = (
    (
        OrganizationRow,
        "SELECT id, status, review, accepts_donations FROM edge.organizations WHERE id = ANY ($1)",
    ),
    (
        MemberRow,
        "SELECT organization, person, CASE WHEN removed_at IS NULL THEN role END, expires_at"
        " FROM edge.members WHERE organization = ANY ($1)",
    ),
    (FundRow, "SELECT id, organization FROM edge.funds WHERE organization = ANY ($1)"),
    (
        KeyRow,
        "SELECT id, organization, scopes, funds, expires_at, revoked_at IS NOT NULL"
        " FROM edge.api_keys WHERE organization = ANY ($1)",
    ),
    (
        CollectionRow,
        "SELECT k.organization, k.collector, k.status = 'allowed' AND c.status = 'active'"
        " FROM edge.collections AS k JOIN edge.collectors AS c ON c.id = k.collector"
        " WHERE k.organization = ANY ($1)",
    ),
)
#: What is the affair of the platform's own organization.
ROWS_OF_PLATFORM: Final[tuple[tuple[type[Row], str], ...]] = (
    (CollectorRow, "SELECT id, manager FROM edge.collectors"),
    (StaffRow, "SELECT person, CASE WHEN removed_at IS NULL THEN role END FROM edge.staff"),
)
OWNERS: Final = """
    SELECT 'fund:' || id AS name, organization FROM edge.funds
    UNION ALL
    SELECT 'api_key:' || id, organization FROM edge.api_keys WHERE organization IS NOT NULL
"""
RECORDED: Final = """
    SELECT resource, relation, subject, expires_at, organization FROM read.relationships
"""
# For the session: repairs are transactions of their own.
LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('edge.reconciler'))"
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext('edge.reconciler'))"


async def all_rows(connection: AnyConnection) -> AsyncIterator[list[Row]]:
    """All there are, those of some organizations at once."""
    platform, last = await platform_organization(connection), ""
    while found := await connection.fetch(ORGANIZATIONS, last, AT_ONCE):
        organizations = [row["id"] for row in found]
        last = organizations[-1]
        async with connection.transaction():
            await set_scope(connection, organizations)
            rows = await _rows(connection, organizations, platform in organizations)
        yield rows


async def rows_to_repair(
    connection: AnyConnection, organization: str, platform: str | None
) -> list[Row]:
    """Those of an organization; whoever would take some of what they say waits until its end."""
    await set_scope(connection, [organization])
    if await locked(connection, organization) is None:
        return []
    if organization == platform:
        await lock_staff(connection)
    return await _rows(connection, [organization], organization == platform)


async def platform_organization(connection: AnyConnection) -> str | None:
    """The platform's own organization."""
    found: str | None = await connection.fetchval(PLATFORM)
    return found


async def owners(connection: AnyConnection) -> dict[str, str]:
    """Whose each fund and key is, by `fund:…` and `api_key:…`."""
    return {row["name"]: row["organization"] for row in await connection.fetch(OWNERS)}


async def recorded(connection: AnyConnection) -> list[Recorded]:
    """What the permissions worker wrote, and in whose name."""
    async with connection.transaction():
        return [
            Recorded(
                Relation(row["resource"], row["relation"], row["subject"], row["expires_at"]),
                row["organization"],
            )
            async for row in connection.cursor(RECORDED, prefetch=AT_ONCE)
        ]


async def is_alone(connection: AnyConnection) -> bool:
    """Whether no other edge reconciles; until `leave`."""
    return bool(await connection.fetchval(LOCK))


async def leave(connection: AnyConnection) -> None:
    """Let another edge reconcile."""
    await connection.fetchval(UNLOCK)


async def _rows(
    connection: AnyConnection, organizations: Sequence[str], has_platform: bool
) -> list[Row]:
    rows: list[Row] = []
    for kind, query in ROWS:
        rows += [_made(kind, one) for one in await connection.fetch(query, organizations)]
    if has_platform:
        for kind, query in ROWS_OF_PLATFORM:
            rows += [_made(kind, one) for one in await connection.fetch(query)]
    return rows


def _made(kind: type[Row], columns: Sequence[object]) -> Row:
    values = (tuple(one) if isinstance(one, list) else one for one in columns)
    return kind(*values)  # type: ignore[arg-type]  # the columns are the fields, see ROWS
