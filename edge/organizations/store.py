"""Writing organizations, funds and API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from topics.outbox import AnyConnection

INSERT_ORGANIZATION: Final = """
    INSERT INTO edge.organizations
        (id, slug, name, visibility, accepts_donations, is_platform, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
INSERT_FUND: Final = """
    INSERT INTO edge.funds (id, organization, name, currency, is_default, created_at)
    VALUES ($1, $2, $3, $4, true, $5)
"""
INSERT_API_KEY: Final = """
    INSERT INTO edge.api_keys
        (id, organization, name, environment, secret_hash, scopes, funds, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
FUNDS: Final = "SELECT id FROM edge.funds WHERE organization = $1"


async def insert_organization(
    connection: AnyConnection,
    identifier: str,
    slug: str,
    name: str,
    visibility: str,
    accepts_donations: bool,
    is_platform: bool,
    created_at: datetime,
) -> None:
    """One organization; asyncpg.UniqueViolationError when the slug is taken."""
    await connection.execute(
        INSERT_ORGANIZATION,
        identifier,
        slug,
        name,
        visibility,
        accepts_donations,
        is_platform,
        created_at,
    )


async def insert_fund(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    name: str,
    currency: str,
    created_at: datetime,
) -> None:
    """The fund that takes the organization's gifts in a currency by default."""
    await connection.execute(INSERT_FUND, identifier, organization, name, currency, created_at)


async def funds(connection: AnyConnection, organization: str) -> set[str]:
    """The ids of the organization's funds."""
    return {row["id"] for row in await connection.fetch(FUNDS, organization)}


async def insert_api_key(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    name: str,
    environment: str,
    secret_hash: bytes,
    scopes: Sequence[str],
    funds: Sequence[str],
    expires_at: datetime | None,
    created_at: datetime,
) -> None:
    """An API key by the hash of its secret."""
    await connection.execute(
        INSERT_API_KEY,
        identifier,
        organization,
        name,
        environment,
        secret_hash,
        list(scopes),
        list(funds),
        expires_at,
        created_at,
    )
