"""Connections to PostgreSQL, and the one place that tells "away" from "refused".

While PostgreSQL is away a request is answered 503 with Retry-After, quickly, and nothing is assumed
about what it did: the client sends it again with the same Idempotency-Key.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from edge.database import store
from edge.errors import ProblemError
from topics.outbox import AnyConnection
from topics.sessions import leave_as_is

ACQUIRE_S_MAX: Final = 3.0
COMMAND_S_MAX: Final = 10.0
CONNECTIONS_MAX: Final = 12

#: What asyncpg raises when the server, or the way to it, is the trouble.
AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    # A fail-over left this connection on a server that is now a replica.
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)


class Database:
    """A pool that opens its connections when they are first needed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: asyncpg.Pool[Any] | None = None

    async def open(self) -> None:
        """Make ready; the server may still be away."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=CONNECTIONS_MAX,
            timeout=ACQUIRE_S_MAX,
            command_timeout=COMMAND_S_MAX,
            max_inactive_connection_lifetime=300,
            reset=leave_as_is,
            server_settings={"application_name": "amply edge"},
        )

    async def close(self) -> None:
        """Close every connection, the idle ones at once."""
        if self._pool is not None:
            try:
                async with asyncio.timeout(COMMAND_S_MAX):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AnyConnection]:
        """A connection outside a transaction; ProblemError 503 when PostgreSQL is away."""
        assert self._pool is not None
        try:
            async with self._pool.acquire(timeout=ACQUIRE_S_MAX) as connection:
                yield connection
        except AWAY as error:
            raise ProblemError("unavailable", headers={"Retry-After": "2"}) from error

    @asynccontextmanager
    async def transaction(
        self, organizations: Sequence[str], *, is_snapshot: bool = False
    ) -> AsyncIterator[AnyConnection]:
        """A transaction that sees these organizations only; a snapshot sees one moment."""
        isolation: Any = "repeatable_read" if is_snapshot else None
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation, readonly=is_snapshot),
        ):
            await store.set_scope(connection, organizations)
            yield connection

    async def ping(self) -> bool:
        """Whether PostgreSQL answers."""
        try:
            async with self.connection() as connection:
                await store.ping(connection)
        except ProblemError:
            return False
        return True

    async def outbox_age_s(self) -> float:
        """How long the oldest message has waited for the relay."""
        async with self.connection() as connection:
            return await store.outbox_age_s(connection)
