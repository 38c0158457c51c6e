"""Workers as processes of their own: start, watch, kill, and look at what they did."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.message import Envelope
from tests.workers.runtime import probe
from topics import codec
from topics.publisher import Publisher
from topics.topic import Topic

ROOT = Path(__file__).parents[3]
PROBE = (str(ROOT / "tests" / "workers" / "runtime" / "probe.py"),)
RELAY = ("-m", "workers", "relay")


async def until(condition: Callable[[], Awaitable[Any]], what: str, timeout_s: float = 60) -> Any:
    """The first true answer; fails with `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s} s in vain until {what}")
        await asyncio.sleep(0.05)


class Lab:
    """A database, a broker and the processes that a test starts between them."""

    database: Any  # Of a lab with engines of its own.

    def __init__(self, superuser: str, dsn: str, bootstrap: str, scratch: Path) -> None:
        self.superuser = superuser
        self.bootstrap = bootstrap
        self.name = f"probe-{uuid4().hex[:8]}"
        self.topic = probe.topic_of(f"test.{self.name}")
        self._scratch = scratch
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AMPLY_MODE": "development",
            "AMPLY_POSTGRES": dsn,
            "AMPLY_KAFKA": bootstrap,
            "AMPLY_FAILPOINT_DIRECTORY": str(scratch),
            "PROBE_NAME": self.name,
            "PROBE_TOPIC": self.topic.name,
        }
        self._started: list[asyncio.subprocess.Process] = []

    async def start(self, command: Iterable[str] = PROBE, **variables: str) -> Any:
        with (self._scratch / f"log-{len(self._started)}").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env=self._environment | variables, cwd=ROOT, stderr=log
            )
        self._started.append(process)
        return process

    async def clean_up(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self._scratch.glob("log-*"))

    def marker(self, step: str) -> Path:
        return self._scratch / step

    async def stop(self, process: Any) -> None:
        """SIGTERM must end it by itself, with status 0."""
        process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(process.wait(), 30)
        assert status == 0, self.logs()

    async def publish(self, messages: Iterable[Envelope[Any]], topic: Topic[Any]) -> None:
        async with Publisher(self.bootstrap, "test") as publisher:
            refused = await publisher.publish([codec.encode(topic, one) for one in messages])
        assert not refused

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.superuser)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def effects(self) -> Counter[int]:
        sql = "SELECT number FROM probe.effects WHERE worker = $1"
        return Counter(row["number"] for row in await self.fetch(sql, self.name))

    async def all_took_effect(self, count: int, timeout_s: float = 60) -> None:
        """Wait until so many effects are there, then see that each number has exactly one."""

        async def enough() -> bool:
            return len(await self.effects()) >= count

        await until(enough, f"{count} effects are there", timeout_s)
        assert await self.effects() == Counter(range(count))

    async def order_is_kept(self) -> None:
        rows = await self.fetch(
            "SELECT key, array_agg(number ORDER BY at) AS numbers FROM probe.effects"
            " WHERE worker = $1 GROUP BY key",
            self.name,
        )
        for row in rows:
            assert row["numbers"] == sorted(row["numbers"]), row["key"]

    async def committed(self, group: str, topic: Topic[Any]) -> int:
        """The sum of the offsets that a group has committed."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            parts = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            return sum([await consumer.committed(part) or 0 for part in parts])
        finally:
            await consumer.stop()

    async def read(self, topic: str, partitions: int, *, idle_s: float = 1.0) -> list[Any]:
        """Everything in a topic, once nothing new arrives for a while."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            records: list[Any] = []
            while len(records) < sum(ends.values()):
                for polled in (await consumer.getmany(timeout_ms=int(idle_s * 1000))).values():
                    records += polled
            return records
        finally:
            await consumer.stop()


def orders(topic: Topic[probe.Order], count: int, *, start: int = 0) -> list[Any]:
    """Numbered messages over eleven keys."""
    return [
        probe.order(topic, number, f"key-{number % 11}") for number in range(start, start + count)
    ]
