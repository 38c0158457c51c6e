"""Two edge processes on one port: one limit, figures of each, and one drains while one serves."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.edge.stand import Served, Stand, gift, until
from tests.edge.test_process import process

pytestmark = pytest.mark.asyncio

DRAINED = "/v1/donations/don_01h455vb4pex5vsknk084sn02q"


class Pair:
    """A parent, its two processes, and what they log."""

    def __init__(self, parent: Process, edge: Served, management: int, first: int) -> None:
        self.parent, self.edge, self.management = parent, edge, management
        self.pids = [first]

    async def hear(self) -> None:
        """Read the log to its end, for who begins to serve."""
        assert self.parent.stdout is not None
        async for line in self.parent.stdout:
            event = orjson.loads(line)
            if event["event"] == "serving":
                self.pids.append(event["process"])

    async def serving(self, count: int) -> None:
        async def are_there() -> bool:
            return len(self.pids) >= count

        await until(are_there, f"{count} processes have begun to serve", 90)

    async def figure(self, number: int, begins: str) -> float:
        """The sum of a process's figures that begin so."""
        url = f"http://127.0.0.1:{self.management + number}/metrics"
        async with self.edge.session.get(url) as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(begins))


def free_pair() -> int:
    """A port that is free, and so is the next one."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@asynccontextmanager
async def pair(stand: Stand, folder: Path, **more: str) -> AsyncIterator[Pair]:
    await stand.fetch("DELETE FROM messages.outbox")
    management = free_pair()
    settings = {"AMPLY_EDGE_PROCESSES": "2", "AMPLY_MANAGEMENT_PORT": str(management), **more}
    async with process(stand, folder, **settings) as (parent, edge):
        # Each request comes over a connection of its own, and the kernel chooses for each.
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            made = Pair(parent, Served(edge.url, session), management, 0)
            made.pids.clear()
            hearing = asyncio.create_task(made.hear())
            try:
                await made.serving(1)  # The other one has told `process` already.
                yield made
            finally:
                hearing.cancel()


async def test_one_limit_for_both_and_figures_of_each(stand: Stand, tmp_path: Path) -> None:
    registered = await stand.register()
    await stand.fetch("DELETE FROM edge.hits")
    async with pair(stand, tmp_path, AMPLY_RATE_LIMITS="key.read=12") as both:
        secret = registered.key.secret
        answers = await asyncio.gather(*(both.edge.get(DRAINED, secret) for _ in range(60)))
        assert Counter(answer.status for answer in answers) == {404: 12, 429: 48}
        of_each = [await both.figure(n, "amply_edge_requests_total{") for n in (0, 1)]
        assert sum(of_each) == 60 and min(of_each) > 0, of_each
        # What changes is heard by both.
        await stand.fetch("DELETE FROM edge.hits")
        await stand.fetch(
            "INSERT INTO edge.rate_limits (organization, rate, most) VALUES ($1, 'key.read', 0)",
            registered.id,
        )

        async def is_heard() -> bool:
            more = await asyncio.gather(*(both.edge.get(DRAINED, secret) for _ in range(20)))
            return {answer.status for answer in more} == {404}

        await until(is_heard, "both have heard of it")


async def test_one_drains_while_the_other_serves_and_is_replaced(
    stand: Stand, tmp_path: Path
) -> None:
    registered = await stand.register()
    async with pair(stand, tmp_path) as both:
        secret = registered.key.secret
        posted = await both.edge.donate(gift(registered.id), secret)
        place = posted.headers["Location"]
        waiting: list[asyncio.Task[Any]] = [
            asyncio.create_task(both.edge.get(place, secret, Prefer="wait=30")) for _ in range(16)
        ]

        async def all_wait() -> bool:
            waits = [await both.figure(n, "amply_edge_waiting_requests ") for n in (0, 1)]
            return sum(waits) == 16

        await until(all_wait, "all wait")
        of_first = 16 - await both.figure(1, "amply_edge_waiting_requests ")
        assert 0 < of_first < 16
        # Of the two the newest said so last; whose waiters end tells which it was.
        os.kill(both.pids[0], signal.SIGTERM)
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status for task in done} == {200}

        async def is_served() -> bool:
            try:
                return (await both.edge.get("/livez")).status == 200
            except aiohttp.ClientError:
                return False

        await until(is_served, "the other one serves")
        await both.serving(2)
        ended = sum(task.done() for task in waiting)
        assert 0 < ended < 16, "those of the other one wait on"
        both.parent.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*waiting)
        assert {answer.json["status"] for answer in answers} == {"pending"}
        async with asyncio.timeout(60):
            assert await both.parent.wait() == 0


async def test_a_killed_parent_takes_its_processes_with_it(stand: Stand, tmp_path: Path) -> None:
    async with pair(stand, tmp_path) as both:
        both.parent.kill()
        await both.parent.wait()

        async def nobody_serves() -> bool:
            try:
                await both.edge.get("/livez")
            except aiohttp.ClientError:
                return True
            return False

        await until(nobody_serves, "both are gone", 60)


async def test_readyz_is_red_before_the_port_closes(stand: Stand, tmp_path: Path) -> None:
    await stand.fetch("DELETE FROM messages.outbox")
    async with process(stand, tmp_path, AMPLY_DRAIN_S="30") as (started, edge):
        assert (await edge.get("/livez")).headers.get("Connection") is None
        started.send_signal(signal.SIGTERM)

        async def is_red() -> bool:
            answer = await edge.get("/readyz")
            return answer.status == 503 and not answer.json["checks"]["serving"]

        await until(is_red, "it says that it drains")
        served = await edge.get("/livez")
        assert (served.status, served.headers["Connection"]) == (200, "close")
        started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await started.wait()
