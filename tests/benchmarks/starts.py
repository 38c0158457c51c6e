"""How long a newcomer waits: the first `make run` with an empty cache, and the second start."""

import asyncio
import os
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


async def run_once(folder: Path, cache: Path) -> float:
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "make",
        "run",
        "ONCE=1",
        f"DATA={folder}",
        "PORT=0",
        cwd=ROOT,
        env={**os.environ, "AMPLY_CACHE": str(cache)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    if await process.wait() != 0:
        raise RuntimeError("make run failed; run it by hand to see why")
    return time.perf_counter() - started


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    """The Python environment is there already; the figure for it is in the README's own run."""
    cache = folder / "cache"
    first = await run_once(folder / "data", cache)
    second = sorted([await run_once(folder / "data", cache) for _ in range(3)])[1]
    return [
        ("first make run, engines fetched, .venv there", "< 300 s", f"{first:.1f} s"),
        ("second start, with its donation and stop, median of 3", "< 15 s", f"{second:.1f} s"),
    ]
