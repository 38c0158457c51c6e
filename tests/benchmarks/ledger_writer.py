"""The ledger writer alone: three-posting entries from Kafka to committed, fsync on.

`python -m tests.benchmarks.ledger_writer [ENTRIES]` starts engines on a temporary folder. For one
hot organization and for a thousand it fills the topic, starts the writer as its own process and
watches the log grow until it holds everything.
"""

import asyncio
import os
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import asyncpg

from tests.benchmarks.ledger_stand import (
    LedgerStand,
    genesis_records,
    gift_records,
    organizations,
    stand,
)

ENTRIES = 250_000
ORGANIZATIONS = (1, 1000)
SIZE = "SELECT size FROM ledger.writers"


async def measure(folder: Path, count: int = ENTRIES) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    async with stand(folder) as ledger:
        for number in ORGANIZATIONS:
            among = organizations(number)
            await ledger.fill(chain(genesis_records(among), gift_records(count - number, among)))
            rate, cpu_us = await watch(ledger, count)
            what = f"ledger writer, {count} three-posting entries of {number} organizations"
            rows.append((f"{what}, Kafka to committed", ">= 15000 entries/s", f"{rate:.0f}/s"))
            spent = ", ".join(f"{name} {time_us:.0f}" for name, time_us in cpu_us.items())
            rows.append(("... processor time", "", f"{spent} µs an entry"))
    return rows


async def watch(ledger: LedgerStand, count: int) -> tuple[float, dict[str, float]]:
    """Run the writer over `count` requests that are in the topic already.

    From the first append seen to the last: entries a second, and each process's µs an entry.
    """
    connection = await asyncpg.connect(ledger.dsn)
    before = await connection.fetchval(SIZE)
    try:
        async with ledger.running("bookkeeping") as writer:
            first: tuple[float, int, dict[str, float]] | None = None
            while True:
                size, now = await connection.fetchval(SIZE), time.perf_counter()
                if size > before and first is None:
                    first = (now, size, ledger.cpu_s(writer))
                if first is not None and size >= before + count:
                    break
                assert writer.returncode is None, "the writer ended"
                await asyncio.sleep(0.02)
            # A single batch leaves nothing to measure between its end and the end.
            entries, elapsed_s = max(1, size - first[1]), max(1e-6, now - first[0])
            spent = ledger.cpu_s(writer)
            cpu_us = {name: (spent[name] - first[2][name]) / entries * 1e6 for name in spent}
            cpu_us["writer"] = cpu_us.pop("process")
            return entries / elapsed_s, cpu_us
    finally:
        await connection.close()


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="amply-benchmark-") as folder:
        for row in await measure(Path(folder), count):
            print(" | ".join(row))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES))
