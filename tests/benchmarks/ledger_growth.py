"""What a large log costs: the rate of appending to it against a small one, and its disk.

`python -m tests.benchmarks.ledger_growth [ENTRIES]` (10 000 000 need a quarter of an hour and 25 GB
of disk). The log grows to its size by the ledger's own decisions and appends, without Kafka; the
rates are the writer's, from Kafka to committed.
"""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import asyncpg

from contracts.identifiers import random_id, type_id
from ledger.batch import decide
from ledger.chain import Fund, Head, Known
from ledger.entry import Composer, DonorSeal, Request
from ledger.store import pen
from tests.benchmarks.ledger_stand import (
    LINES,
    ORIGIN,
    LedgerStand,
    Organization,
    genesis_records,
    gift_records,
    new,
    organizations,
    stand,
)
from tests.benchmarks.ledger_writer import watch

ENTRIES = 1_000_000
SMALL = 100_000
MEASURED = 60_000
ORGANIZATIONS = 1000
BATCH = 10_000

HEAPS_AND_INDEXES = """
    SELECT coalesce(whole.relname, c.relname) AS name, sum(pg_relation_size(c.oid)) AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        LEFT JOIN pg_class whole ON whole.oid = i.inhparent
    WHERE n.nspname = 'ledger' AND c.relkind IN ('r', 'i')
    GROUP BY 1 ORDER BY 2 DESC LIMIT 8
"""


async def measure(folder: Path, count: int = ENTRIES) -> list[tuple[str, str, str]]:
    async with stand(folder) as ledger:
        among = organizations(ORGANIZATIONS)
        await ledger.fill(genesis_records(among))
        await watch(ledger, ORGANIZATIONS)
        await _grow(ledger, SMALL, among)
        small = await _rate(ledger, among)
        await _grow(ledger, count, among)
        large = await _rate(ledger, among)
        disk = await _disk(ledger)
    return [
        (
            f"append rate at {count} entries against {SMALL}",
            ">= 90 %",
            f"{large / small * 100:.0f} % ({large:.0f}/s against {small:.0f}/s)",
        ),
        ("disk per million entries, write-ahead log not counted", "stated", disk),
    ]


async def _rate(ledger: LedgerStand, among: list[Organization]) -> float:
    await ledger.fill(gift_records(MEASURED, among))
    rate, _ = await watch(ledger, MEASURED)
    return rate


async def _grow(ledger: LedgerStand, size: int, among: list[Organization]) -> None:
    """Append gifts until the log has `size` entries."""
    connection = await asyncpg.connect(ledger.role_dsn("bookkeeping"))
    try:
        held = await pen.take(connection, 0, ORIGIN, "benchmark")
        state, composer = held.state, Composer(ORIGIN)
        chains: dict[str, Head] = {}
        funds: dict[str, Fund] = {}
        requests = _gifts(among)
        while state.size < size:
            batch = list(islice(requests, min(BATCH, size - state.size)))
            if not chains:  # From then on the caches know everything, and every id is new.
                await pen.look_up(connection, batch, chains, funds)
            clock = await pen.read_clock(connection)
            decision = decide(batch, state, Known(chains, funds, {}, set()), clock, composer)
            assert len(decision.entries) == len(batch)
            async with connection.transaction():
                await pen.append(connection, held.epoch, decision, held.next_offset)
            state = decision.state
            chains |= decision.chains
            funds |= decision.funds
    finally:
        await connection.close()


def _gifts(among: list[Organization]) -> Iterator[Request]:
    """The requests of `gift_records`, for ever, without the way through Kafka."""
    number = 0
    while True:
        organization, fund = among[number % len(among)]
        gift = new("don")
        yield Request(
            id=type_id("ent", random_id(datetime.now(UTC))),
            organization=organization,
            kind="donation",
            visibility="public_full",
            public_after=None,
            ref=None,
            subject=gift,
            postings=[
                {"account": account, "amount": amount, "currency": "EUR", "fund": fund}
                for account, amount in LINES
            ],
            details={"charge": f"ch_{number}", "donation": gift, "payment_intent": f"pi_{number}"},
            donor=DonorSeal(new("prof"), secrets.token_hex(32), "QUJD" * 60),
        )
        number += 1


async def _disk(ledger: LedgerStand) -> str:
    """What takes the room, in MB per million entries, tiles included."""
    connection = await asyncpg.connect(ledger.dsn)
    try:
        size = await connection.fetchval("SELECT size FROM ledger.writers")
        rows = await connection.fetch(HEAPS_AND_INDEXES)
    finally:
        await connection.close()
    async with ledger.running("checkpoints"):
        await ledger.until_published(size)
    files = [path for path in ledger.public.rglob("*") if path.is_file()]
    parts = {row["name"]: int(row["bytes"]) for row in rows}
    parts["tiles"] = sum(path.stat().st_size for path in files)
    per_million = {name: round(part / size) for name, part in parts.items()}
    total = sum(per_million.values())
    return f"{total} MB: " + ", ".join(f"{name} {part}" for name, part in per_million.items())


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="amply-benchmark-") as folder:
        for row in await measure(Path(folder), count):
            print(" | ".join(row))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES))
