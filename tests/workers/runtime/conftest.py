"""A migrated database with the probe's tables, and names that no other test uses."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.embedded import Addresses
from tests.databases import prepare, role_dsn
from tests.engines import LoopThread
from tests.workers.runtime import probe
from tests.workers.runtime.processes import Lab, until
from topics.delivery import Delivery
from topics.provision import provision
from workers.runtime.batch import Batches
from workers.runtime.host import open_pool
from workers.runtime.limits import Limits
from workers.runtime.parked import Parked

LIMITS = Limits(
    attempts_max=2, retry_delay_s_first=0.01, retry_delay_s_max=0.02, park_delay_s_first=0.001
)


@dataclass(frozen=True)
class ProbeDatabase:
    """Two ways in: as superuser, to look, and with the role of a real worker."""

    superuser: str
    worker: str


async def prepare_probe(superuser: str) -> ProbeDatabase:
    await prepare(superuser)
    connection = await asyncpg.connect(superuser)
    await connection.execute(probe.SCHEMA)
    await connection.close()
    return ProbeDatabase(superuser, role_dsn(superuser, "payments"))


@pytest.fixture(scope="session")
def probe_database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> ProbeDatabase:
    return engine_loop.run(prepare_probe(postgres_database()))


class Bench:
    """One worker of the runtime without Kafka: the test delivers, and looks at the rows."""

    def __init__(self, kind: str, name: str, pool: Any, resources: Any, look: Any) -> None:
        self.name = name
        self.pool = pool
        self.look = look
        self.topic = probe.topic_of(f"test.{name}")
        worker = probe.worker_of(kind, name, self.topic)
        self.batches = Batches(worker, pool, resources, LIMITS)
        self.parked = Parked(worker, pool, self.batches.calls, LIMITS)
        self._offset = 0

    def deliver(self, number: int, key: str = "k", **body: Any) -> Delivery:
        self._offset += 1
        message = probe.order(self.topic, number, key, **body)
        return probe.delivery(self.topic, message, self._offset)

    async def effects(self) -> list[tuple[str, int]]:
        """(key, number) of every effect, in order."""
        sql = "SELECT key, number FROM probe.effects WHERE worker = $1 ORDER BY at"
        return [tuple(row) for row in await self.look.fetch(sql, self.name)]

    async def calls(self) -> list[tuple[str, int]]:
        sql = "SELECT key, number FROM probe.calls WHERE worker = $1 ORDER BY at"
        return [tuple(row) for row in await self.look.fetch(sql, self.name)]

    async def aside(self) -> list[tuple[str, str, str]]:
        """(disposition, code, reason) of what lies set aside, in order."""
        sql = (
            "SELECT disposition, code, reason FROM messages.set_aside"
            " WHERE worker = $1 ORDER BY position"
        )
        return [tuple(row) for row in await self.look.fetch(sql, self.name)]

    async def sent(self, topic: str) -> list[Any]:
        sql = "SELECT * FROM messages.outbox WHERE topic = $1 ORDER BY position"
        return list(await self.look.fetch(sql, topic))

    async def outside(self, key: str, answer: str) -> None:
        await self.look.execute(
            "INSERT INTO probe.outside VALUES ($1, $2, $3)"
            " ON CONFLICT (worker, key) DO UPDATE SET answer = $3",
            self.name,
            key,
            answer,
        )

    async def last_words(self) -> None:
        """PostgreSQL dies: an idle session says so, its end is not here yet, and it is used next.

        Said to asyncpg directly: between the real two lies no more than a moment.
        """
        async with self.pool.acquire() as connection:
            session = connection._con
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
        session._protocol.data_received(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    async def recover(self) -> None:
        """Try the parked messages until none is left."""

        async def none_left() -> bool:
            await self.parked.try_due()
            return all(disposition == "dead" for disposition, _, _ in await self.aside())

        await until(none_left, "no message is parked")


@pytest.fixture
async def bench(probe_database: ProbeDatabase) -> AsyncIterator[Callable[[str], Bench]]:
    look = await asyncpg.connect(probe_database.superuser)
    async with (
        open_pool(probe_database.worker, "probe") as pool,
        open_pool(probe_database.worker, "outside") as resources,
    ):
        yield lambda kind: Bench(kind, f"probe_{uuid4().hex[:8]}", pool, resources, look)
    await look.close()


@pytest.fixture
async def lab(
    engines: Addresses, probe_database: ProbeDatabase, tmp_path: Path
) -> AsyncIterator[Lab]:
    lab = Lab(probe_database.superuser, probe_database.worker, engines.kafka_bootstrap, tmp_path)
    await provision(lab.bootstrap, [lab.topic])
    # What other tests' workers sent, to topics that nobody made, would only hold up a relay.
    await lab.fetch("DELETE FROM messages.outbox")
    yield lab
    await lab.clean_up()
