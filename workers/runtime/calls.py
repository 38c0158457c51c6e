"""The calls of `Act` routes: so many at once, those of one key in order, each tried a few times.

Every call ends as an outcome or a verdict on its item. Nothing here touches the database, and no
call is stopped because another failed.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

from workers.runtime.failures import Fault, delays, fault_of, verdict_on
from workers.runtime.items import Item
from workers.runtime.limits import Limits
from workers.runtime.worker import Act, Away


class Calls:
    """`resources` is what the worker's calls get. Once `draining`, nothing is tried again."""

    def __init__(self, resources: Any, limits: Limits, draining: asyncio.Event) -> None:
        self._resources = resources
        self._limits = limits
        self._draining = draining
        self._at_once = asyncio.Semaphore(limits.calls_max)

    async def make(self, items: Iterable[Item]) -> None:
        """Call for every item that needs it, with retries."""
        by_key: dict[tuple[str, bytes], list[Item]] = {}
        for item in items:
            if item.needs_call:
                by_key.setdefault(item.key, []).append(item)
        async with asyncio.TaskGroup() as group:
            for of_key in by_key.values():
                group.create_task(self._in_order(of_key))

    async def once(self, item: Item) -> BaseException | None:
        """One try; the error that it ended with, or None and the item has its outcome."""
        route = item.route
        assert isinstance(route, Act) and item.message is not None
        try:
            async with self._at_once, asyncio.timeout(self._limits.call_s_max):
                item.outcome = await route.call(item.message, self._resources)
        except Exception as error:
            return error
        return None

    async def _in_order(self, items: Sequence[Item]) -> None:
        for item in items:
            await self._with_retries(item)
            if item.verdict is not None and item.verdict.disposition == "parked":
                return  # The later ones of the key will wait behind it.

    async def _with_retries(self, item: Item) -> None:
        waits = delays(self._limits.retry_delay_s_first, self._limits.retry_delay_s_max)
        last_start = time.monotonic() + self._limits.retry_s_max
        for attempt in range(1, self._limits.attempts_max + 1):
            error = await self.once(item)
            if error is None:
                return
            again = fault_of(error) is Fault.MOMENT and not isinstance(error, Away)
            is_last = attempt == self._limits.attempts_max or time.monotonic() > last_start
            if not again or is_last or self._draining.is_set():
                break
            await wait(self._draining, next(waits))
        assert error is not None
        judge(item, error, self._limits.park_delay_s_first)


def judge(item: Item, error: BaseException, delay_s: float) -> None:
    """Give an item the verdict that its error asks for; whoever sent it hears of broken rules."""
    item.verdict = verdict_on(error, delay_s)
    item.tell = fault_of(error) is Fault.RULE


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the event is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
