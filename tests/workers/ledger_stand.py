"""The ledger's two processes on a database of their own, and what tests send to them."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from amply_verify.audit import Kept, LogReport, audit_log
from amply_verify.note import parse_verifier_key
from amply_verify.source import open_log
from amply_verify.trust import Trust
from contracts.donations import SealedDonor
from contracts.entries import EntryRequested, PostingRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from deploy.embedded import Addresses
from deploy.key_rotation import KeyFile
from ledger.key_file import SigningKey
from tests.engines import LoopThread
from tests.ledger.database import Database, until
from tests.ledger.making import ORIGIN, name, postings
from topics import codec
from topics.codec import Record
from topics.provision import provision
from topics.publisher import Publisher
from topics.registry import ENTRIES_RECORDED, ENTRIES_REQUESTED, TOPICS

ROOT = Path(__file__).parents[2]
PASSPHRASE = b"sixteen bytes or more"
PARTITION = TopicPartition(ENTRIES_REQUESTED.name, 0)


def requested(organization: str, **body: Any) -> Envelope[EntryRequested]:
    now = datetime.now(UTC)
    values = {"visibility": "public_full"} | body
    return Envelope(
        id=random_id(now),
        type=ENTRIES_REQUESTED.name,
        time=now,
        organization=organization,
        cause=None,
        body=EntryRequested(**values),
    )


def genesis(organization: str) -> Envelope[EntryRequested]:
    return requested(organization, kind="genesis", details={"name": "Hope", "origin": ORIGIN})


def gift(organization: str, of: object, **body: Any) -> Envelope[EntryRequested]:
    lines = [PostingRequested(**one) for one in postings(2500, name("fund", organization))]
    seal = random.Random(f"{organization}/{of}").randbytes(32).hex()
    values: dict[str, Any] = {
        "kind": "donation",
        "subject": name("don", of),
        "postings": tuple(lines),
        "details": {"donation": name("don", of)},
        "donor": SealedDonor(profile=name("prof", of), seal=seal, opening="QUJD"),
    }
    return requested(organization, **values | body)


def entry_id(message: Envelope[Any]) -> str:
    return type_id("ent", message.id)


class Stand:
    """`folder` is where the log's files are published."""

    def __init__(self, database: Database, kafka: str, scratch: Path) -> None:
        self.database = database
        self.kafka = kafka
        self.scratch = scratch
        self.folder = scratch / "public" / "log" / "0"
        self.keys = KeyFile(scratch / "log.key", PASSPHRASE, ORIGIN)
        self.keys.write([SigningKey(bytes([7]) * 32, datetime(2027, 1, 1, tzinfo=UTC))])
        passphrase = scratch / "passphrase"
        passphrase.write_bytes(PASSPHRASE + b"\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AMPLY_MODE": "development",
            "AMPLY_KAFKA": kafka,
            "AMPLY_LOG_ORIGIN": ORIGIN,
            "AMPLY_LOG_KEY": str(self.keys.path),
            "AMPLY_LOG_PASSPHRASE": str(passphrase),
            "AMPLY_PUBLIC": str(scratch / "public"),
            "AMPLY_AUDIT_ANCHORS": str(scratch / "audit.anchors"),
            "AMPLY_FAILPOINT_DIRECTORY": str(scratch),
        }
        self._started: list[asyncio.subprocess.Process] = []
        self._newest: dict[str, asyncio.subprocess.Process] = {}

    async def begin_at_the_end(self) -> None:
        """Let this database's writer pass over what other tests left in the topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await consumer.start()
        try:
            end = (await consumer.end_offsets([PARTITION]))[PARTITION]
        finally:
            await consumer.stop()
        await self.database.fetch("UPDATE ledger.writers SET next_offset = $1", end)

    async def start(self, process: str, **variables: str) -> asyncio.subprocess.Process:
        environment = {"AMPLY_POSTGRES": self.database.role_dsn(process)}
        with (self.scratch / f"{len(self._started)}.log").open("wb") as log:
            started = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "workers", process),
                env=self._environment | environment | variables,
                cwd=ROOT,
                stderr=log,
            )
        self._started.append(started)
        self._newest[process] = started
        return started

    def running(self, process: str) -> asyncio.subprocess.Process:
        """The newest process of this name."""
        return self._newest[process]

    async def start_to_die(self, process: str, step: str, count: int) -> None:
        """Start a process that kills itself at a step, and wait until it has."""
        started = await self.start(process, AMPLY_FAILPOINT=f"{step}:{count}")
        status = await asyncio.wait_for(started.wait(), 60)
        assert status == -signal.SIGKILL, self.logs()
        assert (self.scratch / step).exists()

    async def stop(self, process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0, self.logs()

    async def clean_up(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def events(self) -> list[str]:
        """The names of everything logged so far."""
        lines = self.logs().splitlines()
        return [orjson.loads(line)["event"] for line in lines if line.startswith("{")]

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.scratch.glob("*.log")))

    async def publish(self, messages: Iterable[Envelope[EntryRequested] | Record]) -> None:
        records = [
            one if isinstance(one, Record) else codec.encode(ENTRIES_REQUESTED, one)
            for one in messages
        ]
        async with Publisher(self.kafka, "test") as publisher:
            assert await publisher.publish(records) == {}

    async def recorded(self, count: int) -> list[str]:
        """Wait for so many entries; the ids of all, in the order of the log."""

        async def enough() -> bool:
            return bool(await self.database.value("SELECT size FROM ledger.writers") >= count)

        await until(enough, f"{count} entries are recorded")
        rows = await self.database.fetch("SELECT id FROM read.entries ORDER BY index")
        return [row["id"] for row in rows]

    async def announced(self, organizations: set[str], count: int) -> list[Any]:
        """Wait for so many announcements about these organizations, duplicates left out."""
        consumer = AIOKafkaConsumer(
            ENTRIES_RECORDED.name, bootstrap_servers=self.kafka, auto_offset_reset="earliest"
        )
        found: dict[Any, Any] = {}
        await consumer.start()
        try:
            async with asyncio.timeout(60):
                while len(found) < count:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        for record in records:
                            told = codec.decode(ENTRIES_RECORDED, record.headers, record.value)
                            if told.organization in organizations:
                                found.setdefault(told.id, told)
        finally:
            await consumer.stop()
        return list(found.values())

    async def published(self, size: int) -> None:
        """Wait until a checkpoint of this size is public."""
        sql = "SELECT count(*) FROM read.checkpoints WHERE size = $1"
        await until(lambda: self.database.value(sql, size), f"size {size} is published")

    def audit(self, *older: str) -> LogReport:
        """What an outsider's audit of the published files says."""
        key = parse_verifier_key((self.folder / "vkey").read_text().strip())
        return audit_log(open_log(str(self.folder)), Trust(key), Kept(checkpoints=older))

    def checkpoint(self) -> str:
        return (self.folder / "checkpoint").read_text()


@pytest.fixture(scope="session")
def topics_exist(engines: Addresses, engine_loop: LoopThread) -> None:
    engine_loop.run(provision(engines.kafka_bootstrap, TOPICS.values()))


@pytest.fixture
async def stand(
    engines: Addresses,
    topics_exist: None,
    postgres_database: Callable[[], str],
    engine_loop: LoopThread,
    tmp_path: Path,
) -> AsyncIterator[Stand]:
    database = Database(postgres_database())
    engine_loop.run(database.prepare())
    made = Stand(database, engines.kafka_bootstrap, tmp_path)
    await made.begin_at_the_end()
    yield made
    await made.clean_up()
