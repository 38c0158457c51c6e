"""A platform for a benchmark, and what several figures need of it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy.platform import Platform


@asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[Platform]:
    """Start on an empty folder, stop at the end."""
    running = Platform(folder / "platform", port=0)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def recorded(running: Platform) -> int:
    """How many donations have their entry."""
    connection = await asyncpg.connect(running.superuser_dsn)
    try:
        return int(
            await connection.fetchval("SELECT count(*) FROM read.entries WHERE kind = 'donation'")
        )
    finally:
        await connection.close()


def memory_mib(root: int) -> float:
    """What a process and all its descendants hold, pages shared between them counted once (PSS)."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It ended while we looked.
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        waiting.extend(children.get(pid, []))
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def elapsed(started: float) -> float:
    """Seconds since a `time.perf_counter()`."""
    return time.perf_counter() - started
