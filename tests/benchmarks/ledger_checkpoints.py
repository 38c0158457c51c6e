"""From committed to covered by a published, signed checkpoint, at 5 000 entries a second.

`python -m tests.benchmarks.ledger_checkpoints [SECONDS]`. The writer and the publisher run as their
own processes; the requests are made beforehand and sent at a steady rate. An entry's recorded time
is the clock at the start of its batch, so the time of its transaction is in the figure.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.ledger_stand import (
    LedgerStand,
    genesis_records,
    gift_records,
    organizations,
    stand,
)
from topics.codec import Record
from topics.publisher import Publisher

RATE = 5_000
SECONDS = 20
ORGANIZATIONS = 1000
#: A piece of requests is sent so many times a second.
PIECES = 20
COVERED = """
    SELECT extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY published - recorded_at))
    FROM (
        SELECT recorded_at, (
            SELECT published_at FROM ledger.publications p
            WHERE p.log = e.log AND p.size > e.index ORDER BY p.size LIMIT 1
        ) AS published
        FROM ledger.entries e WHERE index >= $1
    ) AS covered
"""


async def measure(folder: Path, seconds: int = SECONDS) -> list[tuple[str, str, str]]:
    async with stand(folder) as ledger:
        among = organizations(ORGANIZATIONS)
        gifts = list(gift_records(RATE * seconds, among))
        await ledger.fill(genesis_records(among))
        async with ledger.running("bookkeeping"), ledger.running("checkpoints"):
            await ledger.until_published(ORGANIZATIONS)
            rate = await _send(ledger, gifts)
            await ledger.until_published(ORGANIZATIONS + len(gifts))
        covered_s = await ledger.value(COVERED, ORGANIZATIONS)
    what = f"committed to covered by a published checkpoint, p99, at {rate:.0f} entries/s"
    return [(what, f"< 1 s at {RATE}/s", f"{covered_s:.2f} s")]


async def _send(ledger: LedgerStand, records: list[Record]) -> float:
    """Send in pieces, each when it is due; the rate that was reached."""
    size = RATE // PIECES
    async with Publisher(ledger.kafka, "benchmark", timeout_s=60) as publisher:
        started = time.perf_counter()
        for number, first in enumerate(range(0, len(records), size)):
            assert not await publisher.publish(records[first : first + size])
            due = started + (number + 1) / PIECES
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        return len(records) / (time.perf_counter() - started)


async def main(seconds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="amply-benchmark-") as folder:
        for row in await measure(Path(folder), seconds):
            print(" | ".join(row))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
