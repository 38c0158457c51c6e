"""Reading organizations, funds and API keys, before it is known whose request it is."""

from typing import Any, Final

from edge.database.store import set_scope
from edge.directory.records import ApiKey, Campaign, Fund, Organization
from topics.outbox import AnyConnection

_ORGANIZATION: Final = """
    SELECT o.id, o.slug, o.name, o.log, o.visibility, o.public_after_days,
        o.accepts_donations AND o.status = 'verified' AS accepts_donations,
        coalesce(a.authorized AND a.charges_enabled, false) AS may_charge,
        o.platform_fee_basis_points, o.status
    FROM edge.organizations AS o
    LEFT JOIN read.accounts AS a ON a.organization = o.id AND a.is_current
"""
ORGANIZATION_BY_ID: Final = _ORGANIZATION + "WHERE o.id = $1"
ORGANIZATION_BY_SLUG: Final = _ORGANIZATION + "WHERE o.slug = $1"
#: Also by an account that it has no more: refunds and payouts still come.
ORGANIZATION_BY_ACCOUNT: Final = (
    _ORGANIZATION + "JOIN read.accounts AS had ON had.organization = o.id WHERE had.account = $1"
)
_FUND: Final = "SELECT id, organization, currency, visibility, is_active FROM edge.funds "
FUND_BY_ID: Final = _FUND + "WHERE organization = $1 AND id = $2"
FUND_BY_CURRENCY: Final = _FUND + "WHERE organization = $1 AND currency = $2 AND is_default"
#: The one in the currency that the organization's account settles in, else its oldest.
FIRST_FUND: Final = """
    SELECT id, organization, currency, visibility, is_active FROM edge.funds
    WHERE organization = $1 AND is_default AND is_active
    ORDER BY currency IS NOT DISTINCT FROM
        (SELECT default_currency FROM read.accounts WHERE organization = $1 AND is_current) DESC,
        created_at, id
    LIMIT 1
"""
RATE_LIMITS: Final = "SELECT rate, most FROM edge.rate_limits WHERE organization = $1"
CAMPAIGN: Final = """
    SELECT id, organization, status, fund, starts_at, ends_at FROM edge.campaigns
    WHERE organization = $1 AND id = $2
"""
# A closed collector's keys are revoked with it.
API_KEY_BY_HASH: Final = """
    SELECT k.id, coalesce(k.organization, k.collector) AS organization, k.environment,
        CASE WHEN k.secret_hash = $1 THEN k.secret_hash ELSE k.previous_hash END AS secret_hash,
        k.scopes, k.origins,
        CASE WHEN k.secret_hash = $1 THEN k.expires_at
            ELSE least(k.expires_at, k.previous_until) END AS expires_at,
        coalesce(k.revoked_at, CASE WHEN c.status = 'closed' THEN c.updated_at END) AS revoked_at
    FROM edge.api_keys AS k LEFT JOIN edge.collectors AS c ON c.id = k.collector
    WHERE k.secret_hash = $1 OR k.previous_hash = $1
"""
MAY_COLLECT: Final = """
    SELECT status = 'allowed' FROM edge.collections WHERE collector = $1 AND organization = $2
"""
FRESHNESS: Final = "SELECT zed_token FROM read.permission_tokens WHERE organization = $1"


async def organization(connection: AnyConnection, query: str, value: str) -> Organization | None:
    """The organization that one of the queries `ORGANIZATION_BY_…` finds."""
    row = await connection.fetchrow(query, value)
    return Organization(**row) if row is not None else None


async def fund(connection: AnyConnection, query: str, *values: str) -> Fund | None:
    """The fund that one of the queries `FUND_BY_…` finds."""
    row = await connection.fetchrow(query, *values)
    return Fund(**row) if row is not None else None


async def rate_limits(connection: AnyConnection, organization: str) -> dict[str, int]:
    """The organization's own limits, by name of the rate."""
    return dict(await connection.fetch(RATE_LIMITS, organization))


async def campaign(
    connection: AnyConnection, organization_: str, identifier: str
) -> Campaign | None:
    """A campaign of the organization; it is seen within its tenant scope only."""
    async with connection.transaction():
        await set_scope(connection, [organization_])
        row = await connection.fetchrow(CAMPAIGN, organization_, identifier)
    return Campaign(**row) if row is not None else None


async def api_key(connection: AnyConnection, secret_hash: bytes) -> ApiKey | None:
    """The key with this hash, expired and revoked ones too."""
    row = await connection.fetchrow(API_KEY_BY_HASH, secret_hash)
    if row is None:
        return None
    columns: dict[str, Any] = dict(row)
    for name in ("scopes", "origins"):
        columns[name] = frozenset(columns[name])
    return ApiKey(**columns)


async def zed_token(connection: AnyConnection, organization: str) -> str | None:
    """The token of the organization's newest relationships; None before its first."""
    token: str | None = await connection.fetchval(FRESHNESS, organization)
    return token


async def may_collect(connection: AnyConnection, collector: str, organization: str) -> bool:
    """False when the organization has revoked what it once allowed; the collector is in scope."""
    return await connection.fetchval(MAY_COLLECT, collector, organization) is not False
