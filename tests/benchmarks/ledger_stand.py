"""What the ledger's figures need: engines with an empty log, its processes, requests, CPU times."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from contracts.donations import SealedDonor
from contracts.entries import EntryRequested, PostingRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from deploy.embedded import Engines
from deploy.embedded.cache import default_cache
from deploy.key_rotation import KeyFile
from deploy.postgres import migrate
from ledger.key_file import SigningKey
from topics import codec
from topics.codec import Record
from topics.provision import provision
from topics.publisher import Publisher
from topics.registry import CHECKPOINTS_PUBLISHED, ENTRIES_RECORDED, ENTRIES_REQUESTED

ORIGIN = "localhost/log/0"
SECRET = b"benchmark"
PASSPHRASE = b"sixteen bytes or more"
CHUNK = 2_000
PUBLISHED = "SELECT coalesce(max(size), 0) FROM ledger.publications"
LINES = (
    ("Assets:Stripe", "2400"),
    ("Expenses:ProcessorFees", "100"),
    ("Income:Donations", "-2500"),
)

Process = asyncio.subprocess.Process
Organization = tuple[str, str]
"""The ids of an organization and of its fund."""


def new(prefix: str) -> str:
    return type_id(prefix, random_id(datetime.now(UTC)))


def organizations(count: int) -> list[Organization]:
    return [(new("org"), new("fund")) for _ in range(count)]


def genesis_records(among: Iterable[Organization]) -> Iterator[Record]:
    for organization, _ in among:
        details = {"name": "Benchmark", "origin": ORIGIN}
        yield _record(organization, kind="genesis", details=details)


def gift_records(count: int, among: Sequence[Organization]) -> Iterator[Record]:
    """Gifts with a fee, a sealed donor and details, like real ones, each organization in turn."""
    for number in range(count):
        organization, fund = among[number % len(among)]
        gift = new("don")
        yield _record(
            organization,
            kind="donation",
            subject=gift,
            postings=tuple(
                PostingRequested(account=account, amount=amount, currency="EUR", fund=fund)
                for account, amount in LINES
            ),
            details={"charge": f"ch_{number}", "donation": gift, "payment_intent": f"pi_{number}"},
            donor=SealedDonor(profile=new("prof"), seal=secrets.token_hex(32), opening="QUJD" * 60),
        )


def _record(organization: str, **body: Any) -> Record:
    now = datetime.now(UTC)
    request = EntryRequested(visibility="public_full", **body)
    message = Envelope(random_id(now), ENTRIES_REQUESTED.name, now, organization, None, request)
    return codec.encode(ENTRIES_REQUESTED, message)


class LedgerStand:
    """`dsn` is the superuser's; `public` is where checkpoints and tiles appear."""

    def __init__(self, folder: Path, engines: Engines, dsn: str, kafka: str) -> None:
        self.dsn, self.kafka, self.public = dsn, kafka, folder / "public"
        self._engines = engines
        self._folder = folder
        self._key, self._passphrase = folder / "log.key", folder / "passphrase"
        self._passphrase.write_bytes(PASSPHRASE + b"\n")
        key = SigningKey(bytes([7]) * 32, datetime.now(UTC))
        KeyFile(self._key, PASSPHRASE, ORIGIN).write([key])

    def role_dsn(self, role: str) -> str:
        host = self.dsn.rpartition("@")[2]
        return f"postgresql://amply_{role}:{migrate.role_password(SECRET, role)}@{host}"

    async def value(self, sql: str, *arguments: object) -> Any:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[Process]:
        """A process of the ledger, ended at the end."""
        environment = {
            "AMPLY_MODE": "development",
            "AMPLY_POSTGRES": self.role_dsn(name),
            "AMPLY_KAFKA": self.kafka,
            "AMPLY_LOG_ORIGIN": ORIGIN,
            "AMPLY_LOG_KEY": str(self._key),
            "AMPLY_LOG_PASSPHRASE": str(self._passphrase),
            "AMPLY_PUBLIC": str(self.public),
            "AMPLY_AUDIT_ANCHORS": str(self._folder / "audit.anchors"),
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "workers", name),
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def fill(self, records: Iterable[Record]) -> None:
        """Put requests into the topic."""
        records = iter(records)
        async with Publisher(self.kafka, "benchmark", timeout_s=60) as publisher:
            while chunk := list(islice(records, CHUNK)):
                assert not await publisher.publish(chunk)

    async def until_published(self, size: int) -> None:
        """Wait until a checkpoint over so many entries is public."""
        async with asyncio.timeout(600):
            while True:
                if await self.value(PUBLISHED) >= size:
                    return
                await asyncio.sleep(0.1)

    def cpu_s(self, process: Process) -> dict[str, float]:
        """Processor seconds that a process and the engines have used since they began."""
        pids = {"process": process.pid}
        pids |= {name: self._engines.pid(name) for name in ("postgres", "kafka")}
        return {name: _cpu_s(pid) for name, pid in pids.items()}


@asynccontextmanager
async def stand(folder: Path) -> AsyncIterator[LedgerStand]:
    """Engines with an empty log."""
    engines = Engines(folder / "engines", cache=default_cache())
    addresses = await engines.start()
    try:
        dsn, kafka = addresses.postgres_dsn, addresses.kafka_bootstrap
        await migrate.migrate(dsn)
        await migrate.allow_login(dsn, SECRET)
        await provision(kafka, [ENTRIES_REQUESTED, ENTRIES_RECORDED, CHECKPOINTS_PUBLISHED])
        yield LedgerStand(folder, engines, dsn, kafka)
    finally:
        await engines.stop()


def _cpu_s(root: int) -> float:
    """Of a process and its children, those included that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It ended while we looked.
        if root in (int(path.parent.name), int(fields[1])):
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
