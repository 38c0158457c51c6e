"""The edge's rows that say which relationships should be, and what was recorded of them."""

from typing import Final

from edge.reconciler.decisions import Rows
from edge.spicedb import Relation
from topics.outbox import AnyConnection

ORGANIZATIONS: Final = "SELECT id, accepts_donations FROM edge.organizations ORDER BY id"
FUNDS: Final = "SELECT id, organization FROM edge.funds"
KEYS: Final = """
    SELECT id, organization, scopes FROM edge.api_keys
    WHERE revoked_at IS NULL AND organization IS NOT NULL
"""
RECORDED: Final = "SELECT resource, relation, subject, organization FROM read.relationships"
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('edge.reconciler'))"


async def rows(connection: AnyConnection) -> Rows:
    """All of them: the edge may look up organizations, funds and keys of everybody."""
    organizations = await connection.fetch(ORGANIZATIONS)
    funds = await connection.fetch(FUNDS)
    keys = await connection.fetch(KEYS)
    return Rows(
        tuple((row["id"], row["accepts_donations"]) for row in organizations),
        tuple((row["id"], row["organization"]) for row in funds),
        tuple((row["id"], row["organization"], tuple(row["scopes"])) for row in keys),
    )


async def recorded(connection: AnyConnection) -> dict[Relation, str]:
    """What the permissions worker wrote, and whose it is."""
    found = await connection.fetch(RECORDED)
    return {
        Relation(row["resource"], row["relation"], row["subject"]): row["organization"]
        for row in found
    }


async def is_alone(connection: AnyConnection) -> bool:
    """Whether no other edge reconciles; until the transaction ends."""
    return bool(await connection.fetchval(LOCK))
