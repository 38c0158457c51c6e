"""Single questions asked together: what comes while one group is under way forms the next.

Calls run at once and one by one; a statement for each of them would cost more than what they do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Grouped(Generic[Asked, Answer]):
    """`ask` answers a group, in its order. A group that fails is asked again one by one.

    The group's size is bounded by its callers: each of them waits for its own answer.
    """

    def __init__(self, ask: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """The answer to one question, or the error that it alone meets."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_groups())
        return await answer

    async def _ask_groups(self) -> None:
        await asyncio.sleep(0)  # Whoever else is ready to ask joins the first group.
        while self._waiting:
            group, self._waiting = self._waiting, []
            if not await self._settle(group, last=len(group) == 1):
                for single in group:
                    await self._settle([single], last=True)
        self._asking = None

    async def _settle(
        self, group: Sequence[tuple[Asked, asyncio.Future[Answer]]], *, last: bool
    ) -> bool:
        try:
            answers = await self._ask([asked for asked, _ in group])
        except Exception as error:
            if not last:
                return False
            for _, future in group:
                if not future.done():  # Who asked may have given up.
                    future.set_exception(error)
            return True
        for (_, future), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)
        return True
