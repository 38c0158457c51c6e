"""Plays histories against a PostgreSQL server: `python -m tests.histories --dsn DSN [--first N]`.

Creates a database of its own there. The first history that does not end in agreement is made short
and printed, and the status is 1. A test plays the same seeds; this plays as many as one likes.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import structlog

from tests.histories.history import STEPS, draw, play
from tests.histories.machinery import Machinery, machinery
from tests.histories.shrink import shrink
from tests.workers.bench import Bench


async def prepare(server_dsn: str, name: str) -> Bench:
    """A migrated database that need not survive its server."""
    server = await asyncpg.connect(server_dsn)
    try:
        await server.execute(f'CREATE DATABASE "{name}"')
        await server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    finally:
        await server.close()
    bench = Bench(f"{server_dsn.rpartition('/')[0]}/{name}")
    await bench.prepare()
    return bench


async def play_many(made: Machinery, first: int, count: int, steps: int) -> str | None:
    """Play the histories of these seeds; the first that failed, shortened, as text."""
    for seed in range(first, first + count):
        report = await play(made, draw(seed, steps))
        if report.findings:
            short = await shrink(report, lambda history: play(made, history))
            return f"{short}\n\n(shortened from {len(report.sentences)} steps; repeat it with " + (
                f"AMPLY_HISTORY_SEED={seed} make test TESTS=tests/histories)"
            )
    return None


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True, help="a superuser's")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    bench = await prepare(given.dsn, f"histories_{os.getpid()}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        async with machinery(bench, Path(scratch)) as made:
            failed = await play_many(made, given.first, given.count, given.steps)
    if failed is not None:
        print(failed)
        return 1
    each_s = (time.monotonic() - started) / given.count
    print(f"{given.count} histories agree, seeds from {given.first} on, {each_s:.2f} s each")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
