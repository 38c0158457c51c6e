"""A worker's process of one batch: `python -m tests.workers.dying`, the batch on stdin.

It lives as long as the failpoint in its environment lets it.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from tests.workers.bench import ONCE
from topics.delivery import Delivery
from workers.accounts.worker import WORKER as ACCOUNTS
from workers.payments.worker import WORKER as PAYMENTS
from workers.runtime.batch import Batches

WORKERS = {worker.name: worker for worker in (ACCOUNTS, PAYMENTS)}


async def die(
    name: str, step: str, delivery: Delivery, settings: Mapping[str, str], scratch: Path
) -> None:
    """Let a process of a worker die at a step while it handles the delivery."""
    failpoint = {"AMPLY_FAILPOINT": f"{step}:1", "AMPLY_FAILPOINT_DIRECTORY": str(scratch)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.workers.dying"),
        cwd=Path(__file__).parents[2],
        env={**os.environ, **failpoint},
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate(_spell(name, delivery, settings))
    assert process.returncode == -signal.SIGKILL
    assert (scratch / step).exists()


def _spell(name: str, delivery: Delivery, settings: Mapping[str, str]) -> bytes:
    """What the process reads."""
    headers = [[word, base64.b64encode(value or b"").decode()] for word, value in delivery.headers]
    body = {
        "worker": name,
        "settings": dict(settings),
        "topic": delivery.topic,
        "offset": delivery.offset,
        "key": base64.b64encode(delivery.key or b"").decode(),
        "headers": headers,
        "value": base64.b64encode(delivery.value or b"").decode(),
    }
    return json.dumps(body).encode()


async def main(told: dict[str, Any]) -> None:
    delivery = Delivery(
        told["topic"],
        0,
        told["offset"],
        base64.b64decode(told["key"]),
        tuple((name, base64.b64decode(value)) for name, value in told["headers"]),
        base64.b64decode(told["value"]),
    )
    worker = WORKERS[told["worker"]]
    assert worker.resources is not None
    async with (
        worker.resources(told["settings"]) as resources,
        asyncpg.create_pool(told["settings"]["AMPLY_POSTGRES"], min_size=1, max_size=2) as pool,
    ):
        await Batches(worker, pool, resources, ONCE).settle([delivery])


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
