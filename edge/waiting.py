"""Requests that wait for a change, and what wakes them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from edge import metrics

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Past this many, a request is answered at once with what is known.
WAITERS_MAX: Final = 2_000
#: Looks again this often even when nothing was heard: a notification can be lost.
LOOK_AGAIN_S: Final = 2.0


class Waiters(Generic[Key]):
    """Wakes those who wait for a key."""

    def __init__(self) -> None:
        self._events: dict[Key, asyncio.Event] = {}
        self._count = 0
        self._is_closing = False

    def wake(self, key: Key) -> None:
        """Something about the key changed."""
        if event := self._events.get(key):
            event.set()

    def wake_all(self) -> None:
        """Anything may have changed."""
        for event in self._events.values():
            event.set()

    def close(self) -> None:
        """Let everybody look one last time; nobody waits from now on."""
        self._is_closing = True
        self.wake_all()

    async def until(
        self,
        key: Key,
        look: Callable[[], Awaitable[Value]],
        is_settled: Callable[[Value], bool],
        wait_s: float,
    ) -> Value:
        """What `look` sees as soon as that is settled, or when the time is over."""
        value = await look()
        if is_settled(value) or wait_s <= 0 or self._count >= WAITERS_MAX:
            return value
        deadline = asyncio.get_running_loop().time() + wait_s
        self._count += 1
        metrics.WAITING.inc()
        try:
            while True:
                # The event is there before the look, so that no change falls between the two.
                event = self._events.get(key)
                if event is None or event.is_set():
                    event = self._events[key] = asyncio.Event()
                value = await look()
                left_s = deadline - asyncio.get_running_loop().time()
                if is_settled(value) or left_s <= 0 or self._is_closing:
                    return value
                try:
                    async with asyncio.timeout(min(left_s, LOOK_AGAIN_S)):
                        await event.wait()
                except TimeoutError:
                    continue
        finally:
            self._count -= 1
            metrics.WAITING.dec()
            if self._count == 0:
                self._events.clear()
