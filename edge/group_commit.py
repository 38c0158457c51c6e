"""Group commit: requests that arrive together share one database transaction.

Rules: an idle committer commits at once; a busy one gathers up to 128 items or 5 ms. Up to three
batches are under way, since a commit mostly waits: for statements, for the disk. An item that
was taken in is carried to its end even when whoever waits for it has gone. When a batch fails for a
reason that lies in an item, its halves are tried alone, so that one item cannot fail the others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_MAX: Final = 128
GATHER_S_MAX: Final = 0.005
#: Below this many items in the last batch, gathering would only delay.
_BUSY_FROM: Final = 4
AT_ONCE_MAX: Final = 3


class GroupCommit(Generic[Item, Result]):
    """`commit` gets 1 to 128 items and returns their results in order, or raises for them all.

    `is_shared` tells failures that no smaller batch would escape, such as a database that is away.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        is_shared: Callable[[Exception], bool],
        observe: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._commit = commit
        self._is_shared = is_shared
        self._observe = observe
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._last = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to commit, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="group-commit")

    async def close(self) -> None:
        """Commit what was taken in, then stop."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Take an item in. Whoever awaits the future shields it: a caller may go, not the item."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return future

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    await asyncio.gather(*self._under_way)
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if self._last >= _BUSY_FROM and len(self._waiting) < ITEMS_MAX and not self._closing:
                await self._gather()
            batch = [self._waiting.popleft() for _ in range(min(ITEMS_MAX, len(self._waiting)))]
            self._last = len(batch)
            self._observe(len(batch))
            task = asyncio.create_task(self._settle(batch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            if len(self._under_way) >= AT_ONCE_MAX:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GATHER_S_MAX
        while len(self._waiting) < ITEMS_MAX:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return

    async def _settle(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except Exception as error:  # Handed to everybody who waits for it.
            if len(batch) > 1 and not self._is_shared(error):
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # The waiter may have gone: nobody else need retrieve it.
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
