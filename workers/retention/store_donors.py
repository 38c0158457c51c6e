"""Donor profiles as an erasure sees them: found, and destroyed with what the edge keeps of them.

Every function but `set_scope` works within the tenant scope of the caller's transaction.
"""

from collections.abc import Sequence
from typing import Final

from topics.outbox import AnyConnection

SET_SCOPE: Final = "SELECT set_config('app.organizations', $1, true)"
KNOWN: Final = "SELECT organization, id FROM read.donors WHERE id = ANY($1::text[])"
GIFTS: Final = """
    SELECT gift.donation, donation.payment_intent
    FROM read.donor_gifts AS gift
    LEFT JOIN read.donations AS donation
        ON donation.organization = gift.organization AND donation.id = gift.donation
    WHERE gift.organization = $1 AND gift.profile = $2
"""
FORGET: Final = "SELECT edge.forget_donor($1, $2, $3)"
#: Not inside a transaction. Frees what dead rows of deleted keys hold.
CLEAN: Final = "VACUUM edge.donor_profiles"


async def set_scope(connection: AnyConnection, organizations: Sequence[str]) -> None:
    """Let this transaction see the rows of these organizations, and no others."""
    await connection.execute(SET_SCOPE, ",".join(organizations))


async def known(connection: AnyConnection, profiles: Sequence[str]) -> set[tuple[str, str]]:
    """Those of the profiles that are there, as (organization, profile)."""
    return {(row["organization"], row["id"]) for row in await connection.fetch(KNOWN, profiles)}


async def gifts(
    connection: AnyConnection, organization: str, profile: str
) -> dict[str, str | None]:
    """The profile's donations, each with its PaymentIntent if it has one."""
    rows = await connection.fetch(GIFTS, organization, profile)
    return {row["donation"]: row["payment_intent"] for row in rows}


async def forget(
    connection: AnyConnection, organization: str, profile: str, payment_intents: Sequence[str]
) -> None:
    """Destroy the profile, the key, and what the edge keeps of its requests and payments."""
    await connection.execute(FORGET, organization, profile, payment_intents)


async def clean(connection: AnyConnection) -> None:
    """Have PostgreSQL drop deleted keys from their pages now; outside a transaction.

    A server older than 17, or another role's table, is left to autovacuum: it warns and skips.
    """
    await connection.execute(CLEAN)
