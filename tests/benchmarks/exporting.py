"""How long the edge takes to write a million entries, in each format, and in how much memory.

`python -m tests.benchmarks.exporting [ENTRIES]`. Entries come out of a real PostgreSQL, into which
they are copied with the triggers off; they leave through the edge's own route over HTTP to a reader
in a process of its own, which only counts. The proof in line 1 is of hashes that no tree has.
"""

import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp import web

from amply_verify.note import Checkpoint, Signer
from amply_verify.tiles import TileTree
from contracts.identifiers import type_id
from deploy.embedded import Engines
from deploy.embedded.cache import default_cache
from deploy.postgres import migrate
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.directory.records import Organization
from edge.exports.service import Exports
from edge.routes.exports import ExportRoutes
from ledger.entry import spell_time
from ledger.export_copy import FORMATS

ENTRIES = 1_000_000
BATCH = 20_000
SECRET = b"benchmark"
ORIGIN = "amply.localhost/log/0"
ORGANIZATION = Organization(
    id=type_id("org", UUID(int=1)),
    slug="benchmark",
    name="Benchmark",
    log=0,
    visibility="public_full",
    public_after_days=0,
    accepts_donations=True,
    may_charge=False,
)
START_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
READER = """
import sys, time, urllib.request
started = time.perf_counter()
size = 0
with urllib.request.urlopen(sys.argv[1]) as answer:
    while data := answer.read(1 << 20):
        size += len(data)
print(size, time.perf_counter() - started)
"""


def entry(seq: int, previous: str) -> bytes:
    """A donation of three postings as the platform records it; the genesis at 0."""
    recorded = spell_time(datetime.fromtimestamp(START_S + seq, UTC))
    common = (
        f'"org":"{ORGANIZATION.id}","prev":{previous},"seq":{seq},"time":"{recorded}",'
        '"v":1,"visibility":"public_full"}'
    )
    identifier = type_id("ent", UUID(int=seq + 10))
    if seq == 0:
        details = f'"details":{{"name":"Benchmark","origin":"{ORIGIN}"}}'
        return f'{{{details},"id":"{identifier}","kind":"genesis",{common}'.encode()
    fund = type_id("fund", UUID(int=2))
    lines = (("Assets:Stripe", 970), ("Expenses:ProcessorFees", 30), ("Income:Donations", -1000))
    postings = ",".join(
        f'{{"account":"{account}","amount":"{amount}","currency":"USD","fund":"{fund}"}}'
        for account, amount in lines
    )
    return (
        f'{{"details":{{"account":"acct_1","balance_transaction":"txn_{seq}","charge":"ch_{seq}",'
        f'"collected_by":null,"covers_fee":false,"donation":"{type_id("don", UUID(int=seq))}",'
        f'"gift_minor":1000,"occurred":"{recorded}","payment_intent":"pi_{seq}"}},'
        f'"donor":{{"sealed":"{hashlib.sha256(b"%d" % seq).hexdigest()}"}},'
        f'"id":"{identifier}","kind":"donation","money":{{"postings":[{postings}]}},{common}'
    ).encode()


def rows(count: int) -> Iterator[list[tuple[Any, ...]]]:
    previous = "null"
    batch: list[tuple[Any, ...]] = []
    for seq in range(count):
        data = entry(seq, previous)
        leaf = hashlib.sha256(b"\x00" + data).digest()
        previous = f'"{leaf.hex()}"'
        kind = "donation" if seq else "genesis"
        identifier = type_id("ent", UUID(int=seq + 10))
        moment = datetime.fromtimestamp(START_S + seq, UTC)
        batch.append((0, seq, ORGANIZATION.id, seq, identifier, kind, data, leaf, moment))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


async def fill(dsn: str, count: int) -> None:
    columns = ("log", "index", "organization", "seq", "id", "kind", "bytes", "leaf_hash")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "SET session_replication_role = replica; SET synchronous_commit = off"
        )
        for batch in rows(count):
            await connection.copy_records_to_table(
                "entries", schema_name="ledger", columns=[*columns, "recorded_at"], records=batch
            )
        await connection.execute("VACUUM ANALYZE ledger.entries")
    finally:
        await connection.close()


async def serve(dsn: str, count: int) -> tuple[web.AppRunner, Database, str]:
    """The edge's export route over the real database, for an organization that is known."""
    note = Signer(ORIGIN, bytes(32)).sign(Checkpoint(ORIGIN, count, bytes(32)))

    def read_tile(level: int, number: int, width: int) -> bytes:
        return bytes(32 * width)

    async def organization(slug: str) -> Organization:
        return ORGANIZATION

    async def membership(organization: str, size: int) -> None:
        return None

    log: Any = SimpleNamespace(note=lambda: note, proofs=lambda size: TileTree(size, read_tile))
    ledger: Any = SimpleNamespace(organization=organization)
    censuses: Any = SimpleNamespace(membership=membership)
    database = Database(dsn)
    await database.open()
    exports = Exports(database, log, censuses, BusinessClock("live"))
    app = web.Application()
    app.router.add_get("/{slug}", ExportRoutes(ledger, exports).public)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, database, f"http://127.0.0.1:{runner.addresses[0][1]}/benchmark"


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


async def read(url: str) -> tuple[int, float, float, float]:
    """Bytes, seconds, seconds of processor that this process took, and the most MiB it held."""
    cpu, most = time.process_time(), 0.0
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    output = asyncio.create_task(process.stdout.read())
    while not output.done():
        await asyncio.wait([output], timeout=0.05)
        most = max(most, resident_mib())
    size, seconds = (await output).split()
    return int(size), float(seconds), time.process_time() - cpu, most


async def measure(folder: Path, count: int = ENTRIES) -> list[tuple[str, str, str]]:
    engines = Engines(folder / "engines", cache=default_cache())
    addresses = await engines.start()
    try:
        await migrate.migrate(addresses.postgres_dsn)
        await migrate.allow_login(addresses.postgres_dsn, SECRET)
        await fill(addresses.postgres_dsn, count)
        host = addresses.postgres_dsn.rpartition("@")[2]
        dsn = f"postgresql://amply_edge:{migrate.role_password(SECRET, 'edge')}@{host}"
        runner, database, url = await serve(dsn, count)
        figures = []
        for name in FORMATS:
            size, seconds, cpu_s, most_mib = await read(f"{url}?format={name}")
            figures.append(
                (
                    f"export of {count} entries as {name} ({size / 1e6:.0f} MB)",
                    "< 60 s a million, constant memory",
                    f"{seconds:.0f} s (edge's CPU {cpu_s:.1f} s), at most {most_mib:.0f} MiB",
                )
            )
        await runner.cleanup()
        await database.close()
        return figures
    finally:
        await engines.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
        for row in asyncio.run(measure(Path(name), wanted)):
            print(" | ".join(row))
