"""Questions asked together: fewer askings, each with its own answer or its own error."""

import asyncio
from collections.abc import Sequence

import pytest

from workers.gateways.grouping import Grouped


class Oracle:
    """Doubles numbers; dislikes 13; notes what it was asked together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, asked: Sequence[int]) -> list[int]:
        self.groups.append(list(asked))
        self.asked.set()
        await self.open.wait()
        if 13 in asked:
            raise ValueError("13")
        return [number * 2 for number in asked]


async def test_ready_questions_are_one_group() -> None:
    oracle = Oracle()
    grouped = Grouped(oracle.ask)
    assert await asyncio.gather(*(grouped(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert oracle.groups == [[0, 1, 2, 3, 4]]
    assert await grouped(7) == 14


async def test_what_comes_meanwhile_is_the_next_group() -> None:
    oracle = Oracle()
    grouped = Grouped(oracle.ask)
    oracle.open.clear()
    first = asyncio.create_task(grouped(1))
    await oracle.asked.wait()
    rest = [asyncio.create_task(grouped(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    oracle.open.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6]
    assert oracle.groups == [[1], [2, 3]]


async def test_error_reaches_only_the_question_it_is_about() -> None:
    oracle = Oracle()
    grouped = Grouped(oracle.ask)
    one, bad, two = await asyncio.gather(
        grouped(1), grouped(13), grouped(2), return_exceptions=True
    )
    assert (one, two) == (2, 4)
    assert isinstance(bad, ValueError)
    with pytest.raises(ValueError, match="13"):
        await grouped(13)


async def test_who_gives_up_disturbs_nobody() -> None:
    oracle = Oracle()
    grouped = Grouped(oracle.ask)
    oracle.open.clear()
    impatient, patient = asyncio.create_task(grouped(1)), asyncio.create_task(grouped(2))
    await oracle.asked.wait()
    impatient.cancel()
    oracle.open.set()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await impatient
