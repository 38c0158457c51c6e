"""A gift's entry and its donor's opening, for the receipt."""

from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

FIND_ENTRY: Final = """
    SELECT id, index, bytes FROM read.entries
    WHERE organization = $1 AND subject = $2 AND kind = 'donation' ORDER BY seq LIMIT 1
"""
FIND_DONOR: Final = """
    SELECT profile, ciphertext FROM read.openings
    WHERE organization = $1 AND entry_id = $2 AND section = 'donor'
"""
FIND_DATA_KEY: Final = """
    SELECT wrapped_key FROM read.donor_keys WHERE organization = $1 AND id = $2
"""


async def find_entry(connection: AnyConnection, organization: str, donation: str) -> Record | None:
    """The entry that records a donation."""
    return await connection.fetchrow(FIND_ENTRY, organization, donation)


async def find_donor(connection: AnyConnection, organization: str, entry: str) -> Record | None:
    """The encrypted opening of an entry's donor; None when there is none, or none any more."""
    return await connection.fetchrow(FIND_DONOR, organization, entry)


async def find_data_key(connection: AnyConnection, organization: str, profile: str) -> bytes | None:
    """The wrapped data key of a donor profile; None when the person was forgotten."""
    value: bytes | None = await connection.fetchval(FIND_DATA_KEY, organization, profile)
    return value
