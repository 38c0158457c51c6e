"""PostgreSQL for calls that act on the outside and must read or note something first."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from topics.outbox import AnyConnection
from topics.sessions import leave_as_is

# Text, because asyncpg's classes take no parameters outside the type checker.
Pool: TypeAlias = "asyncpg.Pool[Any]"


def open_pool(settings: Mapping[str, str]) -> AbstractAsyncContextManager[Any]:
    """A small pool on `AMPLY_POSTGRES`, beside the runtime's; it starts without a server too."""
    return asyncpg.create_pool(
        settings["AMPLY_POSTGRES"],
        min_size=0,
        max_size=4,
        timeout=5,
        command_timeout=30,
        reset=leave_as_is,
    )


@asynccontextmanager
async def tenant(pool: Pool, *organizations: str) -> AsyncIterator[AnyConnection]:
    """A transaction of its own that sees these organizations' rows."""
    scope = ",".join(sorted(set(organizations)))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.organizations', $1, true)", scope)
        yield connection
