"""How our processes use sessions at PostgreSQL."""

from typing import Any, Final

import asyncpg

#: What work at PostgreSQL fails with: the way there, the server's answer, the state of the session.
#: The last is asyncpg's where an idle session was told that the server ends, and is used before its
#: own end is seen: on a busy machine that takes a while.
DATABASE_ERRORS: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


async def leave_as_is(connection: Any) -> None:
    """No reset between two users of a pooled connection: all that we set ends with its transaction.

    asyncpg's own reset is a statement of its own for every use.
    """
