"""Hits taken in advance by several processes: never more than the limit, on a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.database.pool import Database
from edge.limits import store
from edge.limits.leases import AwayError, Leases
from edge.limits.rules import Hit, Rule
from tests.edge.stand import Stand

pytestmark = pytest.mark.asyncio


class Clock:
    """A time that the test moves; leases compare with it alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def leasing(stand: Stand, clock: Clock) -> AsyncIterator[Leases]:
    database = Database(stand.settings.postgres)
    await database.open()
    leases = Leases(database, bytes(32), clock)
    leases.start()
    try:
        yield leases
    finally:
        await leases.close()
        await database.close()


@pytest.fixture(autouse=True)
async def nothing_counted(stand: Stand) -> None:
    await stand.fetch("DELETE FROM edge.hits")


async def granted(stand: Stand, rule: Rule) -> int:
    rows = await stand.fetch("SELECT hits FROM edge.hits WHERE rule = $1", rule.name)
    return sum(sum(row["hits"]) for row in rows)


@pytest.mark.parametrize("most", [1, 3, 40, 500])
async def test_many_processes_grant_no_more_than_the_limit(stand: Stand, most: int) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    # A day's window: the test ends within the sixth that it began in, but for a second at midnight.
    hit, clock = Hit(Rule("test", most, 86_400), "somebody"), Clock()
    async with leasing(stand, clock) as one, leasing(stand, clock) as two:
        total = 0
        for _ in range(2 * most):
            edges = [chance.choice((one, two)) for _ in range(chance.randrange(1, 6))]
            standings = await asyncio.gather(*(edge.spend(hit) for edge in edges))
            total += sum(standing.is_granted for standing in standings)
        assert total <= most
        assert total >= most - most // 20, "only what the other holds is missing"
    assert await granted(stand, hit.rule) == total, "what was not used is given back"


async def test_a_busy_key_costs_few_statements(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = 0
    count = store.count

    async def counting(*arguments: object, **more: object) -> object:
        nonlocal statements
        statements += 1
        return await count(*arguments, **more)  # type: ignore[arg-type]  # As it was called.

    monkeypatch.setattr(store, "count", counting)
    hit = Hit(Rule("test", 100_000, 86_400), "somebody")
    async with leasing(stand, Clock()) as leases:
        for _ in range(2000):
            assert (await leases.spend(hit)).is_granted
        refused_at = statements
        assert refused_at <= 12
        dry = Hit(Rule("dry", 1, 86_400), "somebody")
        for _ in range(100):
            await leases.spend(dry)
        assert statements - refused_at <= 2, "a refusal is remembered"


async def test_what_was_taken_is_good_for_its_sixth_only(stand: Stand) -> None:
    hit, clock = Hit(Rule("test", 400, 60), "somebody"), Clock()
    async with leasing(stand, clock) as leases:
        for _ in range(4):
            await leases.spend(hit)
        taken = await granted(stand, hit.rule)
        clock.now += 10.0
        await leases.spend(hit)
        assert await granted(stand, hit.rule) > taken, "it was taken anew"


async def test_what_is_given_back_may_be_taken_by_others(stand: Stand) -> None:
    hit, clock = Hit(Rule("test", 40, 86_400), "somebody"), Clock()
    async with leasing(stand, clock) as one:
        for _ in range(3):
            await one.spend(hit)
        assert await granted(stand, hit.rule) > 2
    assert await granted(stand, hit.rule) == 3
    async with stand.edge_connection() as connection:
        # Twice the same, or of a time that no window reaches any more: nothing comes of it.
        [row] = await stand.fetch("SELECT rule, subject, slot FROM edge.hits")
        late = (row["rule"], row["subject"], row["slot"] - 7, 5)
        await store.give_back(connection, [late])
        assert await granted(stand, hit.rule) == 3
        await store.give_back(connection, [(row["rule"], row["subject"], row["slot"], 9)])
    assert await granted(stand, hit.rule) == 0, "never below nothing"


async def test_while_the_store_is_away_nobody_waits_for_it(stand: Stand) -> None:
    clock = Clock()
    database = Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    await database.open()
    leases = Leases(database, bytes(32), clock)
    leases.start()
    try:
        hit = Hit(Rule("test", 40, 60), "somebody")
        with pytest.raises(AwayError):
            await leases.spend(hit)
        asked = leases._asks
        leases._asks = None  # type: ignore[assignment]  # Whoever asks now fails.
        with pytest.raises(AwayError):
            await leases.spend(hit)
        leases._asks = asked
    finally:
        await leases.close()
        await database.close()
