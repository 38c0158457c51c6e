import asyncio

import pytest

from edge import waiting as module
from edge.waiting import Waiters


@pytest.fixture(autouse=True)
def only_wake_ups_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 3600.0)


async def test_a_waiter_wakes_as_soon_as_its_key_changed() -> None:
    waiters: Waiters[str] = Waiters()
    state = {"value": 0}
    looked = asyncio.Event()

    async def look() -> int:
        looked.set()
        return state["value"]

    waiting = asyncio.create_task(waiters.until("a", look, lambda value: value > 0, 60))
    await looked.wait()
    state["value"] = 7
    waiters.wake("b")
    waiters.wake("a")
    async with asyncio.timeout(20):
        assert await waiting == 7


async def test_a_change_between_look_and_wait_is_not_missed() -> None:
    waiters: Waiters[str] = Waiters()
    answers = iter([0, 0, 1])

    async def look() -> int:
        value = next(answers)
        waiters.wake("a")  # The change comes while the second look is on its way.
        return value

    async with asyncio.timeout(20):
        assert await waiters.until("a", look, lambda value: value > 0, 60) == 1


async def test_the_time_bounds_the_wait_and_closing_ends_it() -> None:
    waiters: Waiters[str] = Waiters()

    async def look() -> int:
        return 0

    assert await waiters.until("a", look, lambda value: value > 0, 0.05) == 0
    waiting = asyncio.create_task(waiters.until("a", look, lambda value: value > 0, 60))
    await asyncio.sleep(0)
    waiters.close()
    async with asyncio.timeout(20):
        assert await waiting == 0


async def test_everybody_who_waits_for_a_key_wakes() -> None:
    waiters: Waiters[str] = Waiters()
    state = {"value": 0, "looks": 0}
    all_wait = asyncio.Event()

    async def look() -> int:
        state["looks"] += 1
        if state["looks"] == 10:  # Each looked before it waits and once more.
            all_wait.set()
        return state["value"]

    waiting = [
        asyncio.create_task(waiters.until("a", look, lambda value: value > 0, 60)) for _ in range(5)
    ]
    await all_wait.wait()
    state["value"] = 3
    waiters.wake("a")
    async with asyncio.timeout(20):
        assert await asyncio.gather(*waiting) == [3] * 5
