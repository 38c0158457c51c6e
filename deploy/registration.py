"""The platform's own organization and the demonstration's, registered as the edge registers all.

The platform comes first, so that its genesis is the leaf at index 0. A start that died half-way is
finished by the next: what is registered stays, and a lost key is replaced by a new one.
"""

import asyncpg

from deploy import demonstration
from deploy.operations import store
from edge.organizations.service import (
    SCOPES_DEFAULT,
    OrganizationError,
    create_api_key,
    register_organization,
)

PLATFORM_SLUG = "amply"
#: So that every command can be tried with the one key that a demonstration has.
SCOPES = (
    *SCOPES_DEFAULT,
    "accounts:read",
    "accounts:write",
    "bookings:read",
    "bookings:write",
    "campaigns:read",
    "campaigns:write",
    "events:read",
    "exports",
    "funds:read",
    "funds:write",
    "payouts:read",
    "payouts:write",
    "projects:read",
    "projects:write",
    "refunds:write",
    "transactions:read",
)


async def register(dsn: str, master_key: bytes, origin: str) -> dict[str, str]:
    """Register both; the demonstration's id, slug and API key. `dsn` is of the edge's role."""
    connection = await asyncpg.connect(dsn)
    try:
        if await store.organization_id(connection, PLATFORM_SLUG) is None:
            await register_organization(
                connection,
                master_key=master_key,
                environment="test",
                origin=origin,
                slug=PLATFORM_SLUG,
                name="Amply",
                accepts_donations=False,
                is_platform=True,
            )
        try:
            registered = await register_organization(
                connection,
                master_key=master_key,
                environment="test",
                origin=origin,
                slug=demonstration.SLUG,
                name=demonstration.NAME,
                currencies=(demonstration.CURRENCY,),
                scopes=SCOPES,
            )
            organization, key = registered.id, registered.key
        except OrganizationError:
            known = await store.organization_id(connection, demonstration.SLUG)
            if known is None:
                raise
            organization = known
            key = await create_api_key(
                connection,
                master_key=master_key,
                environment="test",
                organization=organization,
                name="another key",
                scopes=SCOPES,
            )
    finally:
        await connection.close()
    return {"id": organization, "slug": demonstration.SLUG, "api_key": key.secret}
