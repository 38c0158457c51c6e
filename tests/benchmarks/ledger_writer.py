"""The ledger writer alone: three-posting entries from Kafka to committed, fsync on.

`python -m tests.benchmarks.ledger_writer [ENTRIES]` starts engines on a temporary folder, fills
the topic, starts the writer as its own process and watches the log grow until it holds everything.
"""

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from contracts.donations import SealedDonor
from contracts.entries import EntryRequested, PostingRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from deploy.embedded import Engines
from deploy.embedded.cache import default_cache
from deploy.postgres import migrate
from topics import codec
from topics.codec import Record
from topics.provision import provision
from topics.publisher import Publisher
from topics.registry import ENTRIES_RECORDED, ENTRIES_REQUESTED

ENTRIES = 40_000
ORGANIZATIONS = 20
ORIGIN = "localhost/log/0"
SECRET = b"benchmark"
CHUNK = 2_000


def new(prefix: str) -> str:
    return type_id(prefix, random_id(datetime.now(UTC)))


def record_of(organization: str, **body: Any) -> Record:
    now = datetime.now(UTC)
    request = EntryRequested(visibility="public_full", **body)
    message = Envelope(random_id(now), ENTRIES_REQUESTED.name, now, organization, None, request)
    return codec.encode(ENTRIES_REQUESTED, message)


def records(count: int) -> Iterator[Record]:
    """Genesis entries, then gifts with a fee, a sealed donor and details, like real ones."""
    organizations = [(new("org"), new("fund")) for _ in range(ORGANIZATIONS)]
    for organization, _ in organizations:
        details = {"name": "Benchmark", "origin": ORIGIN}
        yield record_of(organization, kind="genesis", details=details)
    lines = (
        ("Assets:Stripe", "2400"),
        ("Expenses:ProcessorFees", "100"),
        ("Income:Donations", "-2500"),
    )
    for number in range(count - ORGANIZATIONS):
        organization, fund = organizations[number % ORGANIZATIONS]
        gift = new("don")
        yield record_of(
            organization,
            kind="donation",
            subject=gift,
            postings=tuple(
                PostingRequested(account=account, amount=amount, currency="EUR", fund=fund)
                for account, amount in lines
            ),
            details={"charge": f"ch_{number}", "donation": gift, "payment_intent": f"pi_{number}"},
            donor=SealedDonor(profile=new("prof"), seal=secrets.token_hex(32), opening="QUJD" * 60),
        )


async def measure(folder: Path, count: int = ENTRIES) -> list[tuple[str, str, str]]:
    engines = Engines(folder / "engines", cache=default_cache())
    addresses = await engines.start()
    try:
        dsn, kafka = addresses.postgres_dsn, addresses.kafka_bootstrap
        await migrate.migrate(dsn)
        await migrate.allow_login(dsn, SECRET)
        await provision(kafka, [ENTRIES_REQUESTED, ENTRIES_RECORDED])
        await _fill(kafka, count)
        host = dsn.rpartition("@")[2]
        password = migrate.role_password(SECRET, "bookkeeping")
        environment = {
            "AMPLY_POSTGRES": f"postgresql://amply_bookkeeping:{password}@{host}",
            "AMPLY_KAFKA": kafka,
            "AMPLY_LOG_ORIGIN": ORIGIN,
        }
        rate, cpu_s = await _watch(dsn, count, environment)
    finally:
        await engines.stop()
    what = f"ledger writer alone, {count} three-posting entries, Kafka to committed"
    return [
        (what, ">= 8000 entries/s", f"{rate:.0f} entries/s"),
        ("... of it the writer's own processor time", "", f"{cpu_s * 1e6:.0f} µs an entry"),
    ]


async def _fill(kafka: str, count: int) -> None:
    async with Publisher(kafka, "benchmark", timeout_s=60) as publisher:
        chunk: list[Record] = []
        for record in records(count):
            chunk.append(record)
            if len(chunk) == CHUNK:
                assert not await publisher.publish(chunk)
                chunk = []
        assert not await publisher.publish(chunk)


async def _watch(dsn: str, count: int, environment: dict[str, str]) -> tuple[float, float]:
    """From the first append seen to the last: entries per second, the writer's CPU s per entry."""
    connection = await asyncpg.connect(dsn)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "bookkeeping"), env=os.environ | environment
    )
    try:
        first = (0.0, 0, 0.0)
        while True:
            size = await connection.fetchval("SELECT size FROM ledger.writers")
            now = time.perf_counter()
            if size and not first[1]:
                first = (now, size, _cpu_s(process.pid))
            if size >= count:
                break
            assert process.returncode is None, "the writer ended"
            await asyncio.sleep(0.02)
        entries = size - first[1]
        cpu_s = _cpu_s(process.pid) - first[2]
        return entries / (now - first[0]), cpu_s / entries
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await connection.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="amply-benchmark-") as folder:
        for row in await measure(Path(folder), count):
            print(" | ".join(row))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES))
