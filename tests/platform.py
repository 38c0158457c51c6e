"""A whole platform for tests: every process and engine real, on a temporary data directory."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from deploy.client import EdgeClient
from deploy.deployment import DataDirectory
from deploy.platform import Platform
from tests.engines import LoopThread

T = TypeVar("T")
SETTLED = frozenset({"recorded", "failed", "requires_action"})


class Running:
    """A started platform and what tests do with it. Every method runs on the platform's loop."""

    def __init__(self, platform: Platform, complaints: list[tuple[str, str]]) -> None:
        self.platform = platform
        self.complaints = complaints

    @property
    def data(self) -> DataDirectory:
        return self.platform.data

    @property
    def settings(self) -> Mapping[str, str]:
        return self.platform.settings

    @property
    def vkey_file(self) -> Path:
        return self.data.public / "log" / "0" / "vkey"

    def edge(self) -> EdgeClient:
        return EdgeClient(self.settings["AMPLY_URL"], self.settings["AMPLY_API_KEY"])

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.platform.superuser_dsn)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def on_loop(self, loop: LoopThread, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the loop that the platform lives on."""
        return await asyncio.to_thread(loop.run, work)

    async def replace(self, loop: LoopThread, name: str, settings: Mapping[str, str]) -> None:
        """Run a process anew with further settings, ready again afterwards."""
        command = self.platform.command_of(name)
        changed = replace(command, environment={**command.environment, **settings})
        await self.on_loop(loop, self.platform.supervisor.replace(changed))
        await self.on_loop(loop, self.platform.ready(name))

    async def some_recorded(self, prefix: str, giving: "asyncio.Task[dict[str, int]]") -> None:
        """Wait until the first gifts of a load with this prefix are in the ledger."""

        async def begun() -> bool:
            rows = await self.fetch(
                "SELECT count(*) AS n FROM edge.requests r JOIN read.entries e"
                " ON e.subject = r.donation WHERE starts_with(r.idempotency_key, $1)",
                prefix,
            )
            return bool(rows[0]["n"])

        await until(begun, what="the first gift is recorded", timeout_s=30, poll_s=0.02)


async def until(
    condition: Callable[[], Awaitable[T]], *, what: str, timeout_s: float = 60, poll_s: float = 0.1
) -> T:
    """The first true answer; fails with `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s} s in vain until {what}")
        await asyncio.sleep(poll_s)


async def give(
    running: Running, count: int, *, prefix: str, amount_minor: int = 1000
) -> dict[str, int]:
    """Post `count` gifts of growing amounts, at once; id -> amount. Retries like a good client."""
    async with running.edge() as edge:

        async def one(number: int) -> tuple[str, int]:
            body = {
                "organization": running.settings["AMPLY_ORGANIZATION"],
                "amount_minor": amount_minor + number,
                "currency": "USD",
                "payment_method": "pm_card_visa",
                "donor": {"name": f"Donor {number}", "display": "public"},
            }
            answer = await edge.donate(body, f"{prefix}-{number}")
            return str(answer.donation["id"]), amount_minor + number

        limit = asyncio.Semaphore(32)

        async def bounded(number: int) -> tuple[str, int]:
            async with limit:
                return await one(number)

        return dict(await asyncio.gather(*(bounded(number) for number in range(count))))


async def all_recorded(running: Running, donations: Mapping[str, int], timeout_s: float) -> None:
    """Wait until each of the donations has its entry and its status says so."""
    identifiers = list(donations)

    async def check() -> bool:
        rows = await running.fetch(
            "SELECT count(*) AS n FROM donations.donations"
            " WHERE id = ANY($1) AND status = 'recorded'",
            identifiers,
        )
        return bool(rows[0]["n"] == len(identifiers))

    await until(check, what=f"{len(identifiers)} donations are recorded", timeout_s=timeout_s)


def platform_fixture(engine_loop: LoopThread, path: Path, **settings: Any) -> Iterator[Running]:
    """Start a platform on the session's loop, hand it out, stop it."""
    complaints: list[tuple[str, str]] = []
    platform = Platform(
        path, port=0, complain=lambda name, text: complaints.append((name, text)), **settings
    )
    try:
        engine_loop.run(platform.start())
        yield Running(platform, complaints)
    finally:
        engine_loop.run(platform.stop())
