"""A payments process of one batch: `python -m tests.workers.payments.dying`, the batch on stdin.

It lives as long as the failpoint in its environment lets it.
"""

import asyncio
import base64
import json
import sys
from typing import Any

import asyncpg

from tests.workers.bench import ONCE
from topics.delivery import Delivery
from workers.payments.resources import open_payments
from workers.payments.worker import WORKER
from workers.runtime.batch import Batches


def spell(delivery: Delivery, settings: dict[str, str]) -> bytes:
    """What the process reads."""
    headers = [[name, base64.b64encode(value or b"").decode()] for name, value in delivery.headers]
    body = {
        "settings": settings,
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
    async with (
        open_payments(told["settings"]) as payments,
        asyncpg.create_pool(told["settings"]["AMPLY_POSTGRES"], min_size=1, max_size=2) as pool,
    ):
        await Batches(WORKER, pool, payments, ONCE).settle([delivery])


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
