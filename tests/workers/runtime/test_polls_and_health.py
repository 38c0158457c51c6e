"""What is said of a process's health, and a consumer that is beyond help."""

import asyncio
from typing import Any

import aiohttp
import pytest

from workers.runtime.health import Health, serve
from workers.runtime.polls import Polls


class Consumer:
    """Stands in for aiokafka's, whose coordinator a test cannot make die when it wants."""

    def __init__(self) -> None:
        self.broken = False

    async def getmany(self, *partitions: Any, timeout_ms: int) -> dict[Any, Any]:
        if self.broken:
            raise RuntimeError("unexpected error during coordination")
        return {}


async def test_a_consumer_whose_polls_keep_failing_is_broken() -> None:
    consumer = Consumer()
    polls = Polls()
    polls.watch(consumer)
    watching = asyncio.create_task(polls.until_broken(failing_s_max=0.05, look_s=0.001))
    consumer.broken = True
    with pytest.raises(RuntimeError, match="coordination"):
        await consumer.getmany(timeout_ms=1)
    consumer.broken = False
    await consumer.getmany(timeout_ms=1)
    assert polls.failing_since is None and not watching.done(), "it recovered"
    consumer.broken = True
    with pytest.raises(RuntimeError, match="coordination"):
        await consumer.getmany(timeout_ms=1)
    await asyncio.wait_for(watching, 10)


async def test_readiness_names_what_is_missing_and_does_not_wait_for_it(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.runtime.health.CHECK_S_MAX", 0.05)
    health = Health()
    answers = {"database": True, "kafka": True}

    async def database() -> bool:
        if not answers["database"]:
            raise OSError("refused")
        return True

    async def kafka() -> bool:
        if not answers["kafka"]:
            await asyncio.Event().wait()
        return True

    async def fails() -> None:
        raise OSError("no figure")

    health.checks |= {"database": database, "kafka": kafka}
    health.refresh.append(fails)
    stop = await serve(health, unused_tcp_port)
    address = f"http://127.0.0.1:{unused_tcp_port}"
    try:
        async with aiohttp.ClientSession() as client:

            async def get(path: str) -> tuple[int, str]:
                async with client.get(address + path) as response:
                    return response.status, await response.text()

            assert await get("/readyz") == (200, "ready\n")
            answers["database"] = False
            assert await get("/readyz") == (503, "not ready: database\n")
            answers["kafka"] = False
            assert await get("/readyz") == (503, "not ready: database, kafka\n")
            assert (await get("/livez"))[0] == 200, "an engine's absence does not kill us"
            monkeypatch.setattr("workers.runtime.health.ALIVE_S_MAX", 0.0)
            assert (await get("/livez"))[0] == 503
            assert (await get("/metrics"))[0] == 200
    finally:
        await stop()
