"""How many gifts are accepted, and how many go the whole way, with everything on this machine."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from deploy.client import EdgeClient
from deploy.importing import post_all, read
from deploy.platform import Platform
from tests.benchmarks.running import memory_mib, platform, recorded

DATA = Path(__file__).parent.parent / "data" / "agdq2017.csv.gz"
BURST = 10_000
CONNECTIONS = 64
PATH_GIFTS = 3_000


async def load(running: Platform, count: int, rate: float, prefix: str) -> dict[str, Any]:
    """Run the load generator in a process of its own."""
    settings = running.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.load",
        settings["AMPLY_URL"],
        settings["AMPLY_API_KEY"],
        settings["AMPLY_ORGANIZATION"],
        str(count),
        str(CONNECTIONS),
        str(rate),
        prefix,
        cwd=Path(__file__).parent.parent.parent,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    result: dict[str, Any] = json.loads(output)
    return result


async def wait_recorded(running: Platform, count: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while await recorded(running) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{await recorded(running)} of {count} gifts recorded")
        await asyncio.sleep(0.25)


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    async with platform(folder) as running:
        await load(running, 200, 0, "warm")
        await wait_recorded(running, 200, 60)
        started = time.perf_counter()
        await load(running, PATH_GIFTS, 0, "path")
        await wait_recorded(running, 200 + PATH_GIFTS, 300)
        sustained = PATH_GIFTS / (time.perf_counter() - started)
        burst = await load(running, BURST, 0, "burst")
        half = await load(running, BURST // 2, burst["per_second"] / 2, "half")
    return [
        ("whole path with the Stripe sandbox, sustained", ">= 120 gifts/s", f"{sustained:.0f}/s"),
        ("POST accepted, workers running", ">= 1 000/s", f"{burst['per_second']:.0f}/s"),
        ("POST p99 at half of that rate", "< 50 ms", f"{half['p99_ms']:.1f} ms"),
        ("  (p50 at half)", "", f"{half['p50_ms']:.1f} ms"),
    ]


async def measure_import(folder: Path) -> list[tuple[str, str, str]]:
    gifts = read(DATA)
    async with platform(folder) as running:
        settings = running.settings
        started = time.perf_counter()
        async with EdgeClient(settings["AMPLY_URL"], settings["AMPLY_API_KEY"]) as edge:
            summary = await post_all(
                edge,
                gifts,
                organization=settings["AMPLY_ORGANIZATION"],
                currency="USD",
                rate_per_s=None,
            )
        accepted = time.perf_counter() - started
        await wait_recorded(running, summary.accepted, 1200)
        whole = time.perf_counter() - started
        memory = memory_mib(os.getpid())
    count = len(gifts.gifts)
    return [
        (
            f"import of all {count} gifts: accepted, and all recorded",
            "",
            f"{count / accepted:.0f}/s, {count / whole:.0f}/s ({whole:.0f} s)",
        ),
        ("memory of everything after the import (PSS)", "< 1 843 MiB", f"{memory:.0f} MiB"),
    ]
