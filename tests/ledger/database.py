"""A migrated database of its own for a test, and appends to its log without Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from ledger.batch import decide
from ledger.decision import Decision
from ledger.entry import Composer, Request
from ledger.store import pen
from ledger.store.pen import Pen
from tests.databases import prepare, role_dsn
from tests.ledger.making import ORIGIN


class Database:
    """`dsn` is the superuser's."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def prepare(self) -> None:
        await prepare(self.dsn)

    def role_dsn(self, role: str) -> str:
        return role_dsn(self.dsn, role)

    @asynccontextmanager
    async def connect(self, role: str | None = None) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.role_dsn(role) if role else self.dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        async with self.connect() as connection:
            return list(await connection.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: object) -> Any:
        async with self.connect() as connection:
            return await connection.fetchval(sql, *arguments)

    async def record(self, *requests: Request) -> Decision:
        """Take the pen and record a batch."""
        async with self.connect("bookkeeping") as connection:
            taken = await pen.take(connection, 0, ORIGIN, "test")
            return await append(connection, taken, requests)


async def until(condition: Callable[[], Awaitable[Any]], what: str, timeout_s: float = 60.0) -> Any:
    """The first true answer; fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s} s in vain until {what}")
        await asyncio.sleep(0.02)


async def append(
    connection: Any, held: Pen, requests: Sequence[Request], clock: datetime | None = None
) -> Decision:
    """Record a batch with a pen that was taken before.

    With a `clock`, as if it had been recorded then, and out of no topic: the offset stays.
    """
    known = await pen.look_up(connection, requests, {}, {})
    offset = held.next_offset + (0 if clock else len(requests))
    clock = clock or await pen.read_clock(connection)
    decision = decide(requests, held.state, known, clock, Composer(ORIGIN))
    async with connection.transaction():
        await pen.append(connection, held.epoch, decision, offset)
    return decision
