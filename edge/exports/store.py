"""Entries of a chain in pages of bounded size, and the checkpoints that a copy may be pinned to."""

from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

#: Entries are up to 64 KiB each, so a page ends at the first of either bound.
PAGE: Final = """
    SELECT seq, index, id, bytes, leaf_hash FROM (
        SELECT seq, index, id, bytes, leaf_hash,
            sum(octet_length(bytes)) OVER (ORDER BY seq) - octet_length(bytes) AS before
        FROM (
            SELECT seq, index, id, bytes, leaf_hash FROM read.entries
            WHERE organization = $1 AND seq >= $2 AND seq < $3 ORDER BY seq LIMIT $4
        ) AS page
    ) AS measured
    WHERE before < $5 ORDER BY seq
"""
LAST_ENTRY_BELOW: Final = """
    SELECT seq, index FROM read.entries
    WHERE organization = $1 AND index < $2 ORDER BY seq DESC LIMIT 1
"""
NOTE: Final = "SELECT note FROM read.checkpoints WHERE log = $1 AND size = $2"


async def page(
    connection: AnyConnection,
    organization: str,
    seq: int,
    end: int,
    entries_max: int,
    bytes_max: int,
) -> list[Record]:
    """Entries from `seq` on and before `end`: at least one, if there is one."""
    return await connection.fetch(PAGE, organization, seq, end, entries_max, bytes_max)


async def last_entry(connection: AnyConnection, organization: str, size: int) -> Record | None:
    """`seq` and `index` of the last entry in a tree of `size`."""
    return await connection.fetchrow(LAST_ENTRY_BELOW, organization, size)


async def note(connection: AnyConnection, log: int, size: int) -> str | None:
    """The published checkpoint of a size, as it was signed."""
    found: str | None = await connection.fetchval(NOTE, log, size)
    return found
