"""Plays many histories on a database of their own."""

import tempfile
from pathlib import Path

import asyncpg

from tests.histories.history import draw, play
from tests.histories.opening import machinery
from tests.histories.shrink import shrink
from tests.workers.bench import Bench


async def prepare(server_dsn: str, name: str) -> Bench:
    """A migrated database that need not survive its server."""
    server = await asyncpg.connect(server_dsn)
    try:
        await server.execute(f'CREATE DATABASE "{name}"')
        bench = Bench(f"{server_dsn.rpartition('/')[0]}/{name}")
        await bench.prepare()
        await server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        return bench
    finally:
        await server.close()


async def run(
    server_dsn: str, name: str, first: int, count: int, *, is_long: bool = False
) -> str | None:
    """Play the histories of `count` seeds; the first that failed as text, shortened or as it is."""
    bench = await prepare(server_dsn, name)
    with tempfile.TemporaryDirectory() as scratch:
        async with machinery(bench, Path(scratch)) as made:
            for seed in range(first, first + count):
                report = await play(made, draw(seed))
                if report.findings and is_long:
                    return str(report)
                if report.findings:
                    short = await shrink(report, lambda history: play(made, history))
                    return (
                        f"{short}\n\n(shortened from {len(report.sentences)} steps; repeat it with"
                        f" AMPLY_HISTORY_SEED={seed} make test TESTS=tests/histories)"
                    )
    return None
