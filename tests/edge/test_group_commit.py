import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain

import pytest

from edge.group_commit import ITEMS_MAX, GroupCommit


class Store:
    """Commits integers; holds until `gate` opens, refuses `poison`, is away while `is_away`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison: set[int] = set()
        self.is_away = False

    async def commit(self, items: Sequence[int]) -> list[int]:
        await self.gate.wait()
        if self.is_away:
            raise ConnectionError
        if self.poison & set(items):
            raise ValueError(sorted(self.poison & set(items)))
        self.batches.append(list(items))
        return [item * 10 for item in items]


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[Callable[[int], "asyncio.Future[int]"]]:
    group: GroupCommit[int, int] = GroupCommit(
        store.commit, is_shared=lambda error: isinstance(error, ConnectionError)
    )
    group.start()
    yield group.submit
    await group.close()


async def test_an_idle_committer_commits_at_once() -> None:
    store = Store()
    async with running(store) as submit:
        assert await submit(1) == 10
        assert await submit(2) == 20
    assert store.batches == [[1], [2]]


async def test_what_arrives_meanwhile_shares_a_batch_of_bounded_size() -> None:
    store = Store()
    store.gate.clear()
    async with running(store) as submit:
        first = submit(0)
        await asyncio.sleep(0)
        others = [submit(number) for number in range(1, 301)]
        store.gate.set()
        assert await first == 0
        assert await asyncio.gather(*others) == [number * 10 for number in range(1, 301)]
    assert max(map(len, store.batches)) == ITEMS_MAX
    assert list(chain(*store.batches)) == list(range(301))


async def test_one_poisonous_item_fails_alone() -> None:
    store = Store()
    store.gate.clear()
    store.poison = {5}
    async with running(store) as submit:
        futures = [submit(number) for number in range(10)]
        store.gate.set()
        results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(one) for one in results].count(ValueError) == 1
    assert isinstance(results[5], ValueError)
    assert sorted(chain(*store.batches)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


async def test_a_database_that_is_away_fails_the_batch_once_and_the_next_goes_on() -> None:
    store = Store()
    store.is_away = True
    async with running(store) as submit:
        results = await asyncio.gather(*map(submit, range(8)), return_exceptions=True)
        assert all(isinstance(one, ConnectionError) for one in results)
        store.is_away = False
        assert await submit(9) == 90


async def test_an_item_is_committed_although_its_caller_went() -> None:
    store = Store()
    store.gate.clear()
    async with running(store) as submit:

        async def call() -> int:
            return await asyncio.shield(submit(1))

        caller = asyncio.create_task(call())
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        store.gate.set()
    assert store.batches == [[1]]


async def test_closing_commits_what_was_taken_in() -> None:
    store = Store()
    async with running(store) as submit:
        futures = [submit(number) for number in range(200)]
    assert [future.result() for future in futures] == [number * 10 for number in range(200)]
