"""How long one gift takes on an idle platform: to its entry, and to a signed checkpoint over it."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

from deploy.client import EdgeClient
from tests.benchmarks.running import platform

GIFTS = 40


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    recorded: list[float] = []
    covered: list[float] = []
    async with platform(folder) as running:
        settings = running.settings
        async with EdgeClient(settings["AMPLY_URL"], settings["AMPLY_API_KEY"]) as edge:
            for number in range(GIFTS + 3):
                body = {
                    "organization": settings["AMPLY_ORGANIZATION"],
                    "amount_minor": 1000 + number,
                    "currency": "USD",
                    "payment_method": "pm_card_visa",
                }
                started = time.perf_counter()
                answer = await edge.donate(body, str(uuid4()))
                identifier = str(answer.donation["id"])
                donation = await edge.donation(identifier, wait_s=20)
                assert donation["status"] == "recorded", donation
                recorded.append(time.perf_counter() - started)
                await edge.receipt(identifier)
                covered.append(time.perf_counter() - started)
                await asyncio.sleep(0.2)  # Idle is what is measured: let everything come to rest.
    median = sorted(recorded[3:])[GIFTS // 2]
    high = sorted(covered[3:])[GIFTS * 95 // 100]
    return [
        ("POST to recorded, idle, median", "< 0.3 s", f"{median:.3f} s"),
        ("POST to receipt under a signed checkpoint, idle, p95", "< 1 s", f"{high:.3f} s"),
    ]
