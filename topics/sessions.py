"""How our processes use sessions at PostgreSQL."""

from typing import Any


async def leave_as_is(connection: Any) -> None:
    """No reset between two users of a pooled connection: all that we set ends with its transaction.

    asyncpg's own reset is a statement of its own for every use.
    """
