"""Donor profiles, found by a keyed hash of who it is, or by a gift.

Every function works within the tenant scope of the caller's transaction.
"""

from typing import Final

from topics.outbox import AnyConnection

FIND_BY_PERSON: Final = """
    SELECT id FROM read.donors WHERE organization = $1 AND person_hash = $2
"""
FIND_BY_DONATION: Final = """
    SELECT profile FROM read.donor_gifts WHERE organization = $1 AND donation = $2
"""


async def find_by_person(
    connection: AnyConnection, organization: str, person_hash: bytes
) -> str | None:
    """The profile of the person with this hash."""
    found: str | None = await connection.fetchval(FIND_BY_PERSON, organization, person_hash)
    return found


async def find_by_donation(
    connection: AnyConnection, organization: str, donation: str
) -> str | None:
    """The profile that gave a donation; None for gifts without a donor and forgotten donors."""
    found: str | None = await connection.fetchval(FIND_BY_DONATION, organization, donation)
    return found
