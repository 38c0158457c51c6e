"""The cursor of what was told on entries.recorded, and the entries after it."""

from typing import Final, NamedTuple

from ledger.store.connection import AnyConnection

CURSOR: Final = "SELECT index FROM ledger.announced WHERE log = $1"
AFTER: Final = """
    SELECT index, organization, seq, id, kind, bytes, leaf_hash, subject FROM ledger.entries
    WHERE log = $1 AND index >= $2 ORDER BY index LIMIT $3
"""
MOVE: Final = "UPDATE ledger.announced SET index = $2 WHERE log = $1 AND index < $2"


class RecordedEntry(NamedTuple):
    """An entry as it was recorded; its fields are the columns of `ledger.entries`."""

    at: int
    organization: str
    seq: int
    id: str
    kind: str
    data: bytes
    leaf_hash: bytes
    subject: str | None


async def cursor(connection: AnyConnection, log: int) -> int:
    """The index of the first entry that may not have been told."""
    index: int = await connection.fetchval(CURSOR, log)
    return index


async def after(connection: AnyConnection, log: int, index: int, limit: int) -> list[RecordedEntry]:
    """At most `limit` entries from an index on. Indexes have no gaps, so none is overtaken."""
    return [RecordedEntry(*row) for row in await connection.fetch(AFTER, log, index, limit)]


async def move(connection: AnyConnection, log: int, index: int) -> None:
    """Everything below `index` was told; never moves back."""
    await connection.execute(MOVE, log, index)
