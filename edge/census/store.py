"""Censuses, and the chains as they stood before one."""

from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

NEWEST: Final = """
    SELECT index, bytes FROM read.entries
    WHERE log = $1 AND kind = 'census' AND index < $2 ORDER BY index DESC LIMIT 1
"""
HEADS: Final = """
    SELECT entry.organization, entry.seq, entry.leaf_hash
    FROM read.chains AS chain
    CROSS JOIN LATERAL read.seq_before(chain.organization, chain.seq, $2) AS last
    JOIN read.entries AS entry ON entry.organization = chain.organization AND entry.seq = last
    WHERE chain.log = $1
"""
#: Some 20 µs an organization; asked once a census.
HEADS_S_MAX: Final = 60.0


async def newest(connection: AnyConnection, log: int, size: int) -> Record | None:
    """Index and bytes of the last census in a tree of `size`."""
    return await connection.fetchrow(NEWEST, log, size)


async def heads(connection: AnyConnection, log: int, index: int) -> list[tuple[str, int, bytes]]:
    """Organization, seq and leaf hash of the last entry of every chain before an index."""
    rows = await connection.fetch(HEADS, log, index, timeout=HEADS_S_MAX)
    return [(row["organization"], row["seq"], row["leaf_hash"]) for row in rows]
