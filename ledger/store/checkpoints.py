"""What a publisher of checkpoints reads and writes: entries as stored, heads, publications."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from amply_verify.tree import HASH_BYTES, Frontier, leaf_hash
from ledger.checkpoint import KeyChange, parse_key_change
from ledger.store.connection import AnyConnection

HEAD: Final = "SELECT epoch, size, frontier FROM ledger.writers WHERE log = $1"
PLATFORM: Final = "SELECT organization FROM ledger.entries WHERE log = $1 AND index = 0"
ENTRIES: Final = """
    SELECT index, bytes, leaf_hash FROM ledger.entries
    WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index
"""
LEAVES: Final = """
    SELECT leaf_hash FROM ledger.entries
    WHERE log = $1 AND index >= $2 AND index < $3 ORDER BY index
"""
NEWEST: Final = """
    SELECT size, root, note, signed_at FROM ledger.checkpoints
    WHERE log = $1 ORDER BY size DESC LIMIT 1
"""
INSERT: Final = """
    INSERT INTO ledger.checkpoints (log, size, root, note, writer_epoch)
    VALUES ($1, $2, $3, $4, $5) RETURNING signed_at
"""
LAST_PUBLISHED: Final = """
    SELECT size, root, note, signed_at FROM ledger.checkpoints JOIN ledger.publications
        USING (log, size)
    WHERE log = $1 ORDER BY size DESC LIMIT 1
"""
PUBLISHED: Final = "SELECT size FROM ledger.publications WHERE log = $1 ORDER BY size"
PUBLISH: Final = """
    INSERT INTO ledger.publications (log, size) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
KEY_CHANGES: Final = """
    SELECT index, bytes, leaf_hash FROM ledger.entries
    WHERE log = $1 AND kind = 'key_change' AND index < $2 ORDER BY index
"""
CHUNK_ENTRIES: Final = 8192


class TamperedError(RuntimeError):
    """What is stored is not what was recorded. Stop, and compare with the published log."""


class Head(NamedTuple):
    """The log as its writer committed it."""

    epoch: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that was signed; nothing may ever be signed for its size again."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


async def head(connection: AnyConnection, log: int) -> Head:
    """The newest committed head; the entries below its size never change."""
    row = await connection.fetchrow(HEAD, log)
    if row is None:
        raise TamperedError(f"log {log} has no writer's row")
    frontier = row["frontier"]
    hashes = [frontier[i : i + HASH_BYTES] for i in range(0, len(frontier), HASH_BYTES)]
    return Head(row["epoch"], row["size"], Frontier(row["size"], hashes).root())


async def platform(connection: AnyConnection, log: int) -> str:
    """The organization of the first entry; there is one before there is a checkpoint."""
    organization: str = await connection.fetchval(PLATFORM, log)
    return organization


async def entries(
    connection: AnyConnection, log: int, start: int, end: int
) -> AsyncIterator[list[bytes]]:
    """The stored bytes of entries [start, end), in chunks, each re-hashed.

    Raises TamperedError, with the index, when bytes and stored hash differ or an entry is missing.
    """
    for first in range(start, end, CHUNK_ENTRIES):
        last = min(end, first + CHUNK_ENTRIES)
        rows = await connection.fetch(ENTRIES, log, first, last)
        for expected, (index, data, stored) in enumerate(rows, first):
            if index != expected:
                raise TamperedError(f"the entry at index {expected} is missing")
            if leaf_hash(data) != stored:
                raise TamperedError(f"the entry at index {index} is not what was hashed")
        if len(rows) != last - first:
            raise TamperedError(f"the entry at index {first + len(rows)} is missing")
        yield [row["bytes"] for row in rows]


async def root_of(connection: AnyConnection, log: int, size: int) -> bytes:
    """The root over the stored leaf hashes of the first `size` entries."""
    frontier = Frontier()
    for first in range(0, size, CHUNK_ENTRIES):
        rows = await connection.fetch(LEAVES, log, first, min(size, first + CHUNK_ENTRIES))
        frontier.extend(row["leaf_hash"] for row in rows)
    return frontier.root()


async def key_changes(connection: AnyConnection, log: int, size: int) -> list[KeyChange]:
    """The announcements of keys in a tree of `size`, in order. Raises TamperedError."""
    changes: list[KeyChange] = []
    for index, data, stored in await connection.fetch(KEY_CHANGES, log, size):
        if leaf_hash(data) != stored or b'"kind":"key_change"' not in data:
            raise TamperedError(f"the entry at index {index} is not what was hashed")
        changes.append(parse_key_change(index, data))
    return changes


async def newest(connection: AnyConnection, log: int) -> SignedCheckpoint | None:
    """The newest checkpoint that was signed, published or not."""
    row = await connection.fetchrow(NEWEST, log)
    return SignedCheckpoint(*row) if row else None


async def last_published(connection: AnyConnection, log: int) -> SignedCheckpoint | None:
    """The newest checkpoint whose files are public."""
    row = await connection.fetchrow(LAST_PUBLISHED, log)
    return SignedCheckpoint(*row) if row else None


async def insert(connection: AnyConnection, log: int, head: Head, note: str) -> SignedCheckpoint:
    """Claim a size for this note, before anybody sees it.

    The database refuses a size that is not larger than all before (asyncpg.CheckViolationError).
    """
    signed_at = await connection.fetchval(INSERT, log, head.size, head.root, note, head.epoch)
    return SignedCheckpoint(head.size, head.root, note, signed_at)


async def published_sizes(connection: AnyConnection, log: int) -> list[int]:
    """The sizes whose files are public, ascending."""
    return [row["size"] for row in await connection.fetch(PUBLISHED, log)]


async def mark_published(connection: AnyConnection, log: int, size: int) -> None:
    """The files of a size are public."""
    await connection.execute(PUBLISH, log, size)
