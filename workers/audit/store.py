"""The lock of the one process that chains audit records."""

from typing import Final

from topics.outbox import AnyConnection

LEAD: Final = "SELECT pg_try_advisory_lock($1)"
_LOCK: Final = 0x616D706C7902  # Any fixed number that nothing else in this database locks.


async def lead(connection: AnyConnection) -> bool:
    """Take the lock for as long as the connection lives, if nobody has it."""
    taken: bool = await connection.fetchval(LEAD, _LOCK)
    return taken
