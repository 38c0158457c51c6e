"""Signed notes of sizes that were published once."""

from typing import Final

from topics.outbox import AnyConnection

NOTE: Final = "SELECT note FROM read.checkpoints WHERE log = $1 AND size = $2"


async def note(connection: AnyConnection, log: int, size: int) -> str | None:
    """The checkpoint that was published at exactly this size, if one was."""
    found: str | None = await connection.fetchval(NOTE, log, size)
    return found
