"""Deliveries and crashes in hundreds of seeded orders, against the real PostgreSQL.

Kafka is a list here: what matters of it is that it delivers from an offset, again and again. A
crash cuts the connection off before or after a statement, or after a commit whose answer got lost.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from amply_verify.tree import leaf_hash, root_of
from contracts.entries import PostingRequested
from ledger.entry import Composer
from ledger.store import pen, waiting
from ledger.store.pen import FencedError
from tests.engines import LoopThread
from tests.ledger.auditing import audit
from tests.ledger.database import Database
from tests.ledger.making import ORIGIN, name, postings
from tests.workers.ledger_stand import entry_id, genesis, gift
from topics import codec
from topics.codec import Record
from topics.delivery import Delivery
from topics.registry import ENTRIES_REQUESTED
from workers.bookkeeping.incoming import read
from workers.bookkeeping.recorder import Recorder

SCHEDULES = 240
STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
COPIES = ("copy_records_to_table", "copy_to_table")
OWNER = "schedule"


class CrashError(Exception):
    """The process is gone: nothing it had in memory is used again."""


class Mortal:
    """A connection whose process dies at its `step`-th step; 0 is never."""

    def __init__(self, connection: Any, step: int) -> None:
        self._connection = connection
        self.steps = 0
        self._step = step

    def _reach(self) -> None:
        self.steps += 1
        if self.steps == self._step:
            self._connection.terminate()
            raise CrashError

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._connection, attribute)
        if attribute not in STATEMENTS + COPIES:
            return found

        async def call(*arguments: Any, **options: Any) -> Any:
            self._reach()
            answer = await found(*arguments, **options)
            self._reach()
            return answer

        return call

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        except CrashError:
            raise
        except BaseException:
            await transaction.rollback()
            raise
        self._reach()
        await transaction.commit()
        self._reach()


@dataclass
class World:
    """One log, whose topic every schedule adds to; `bad` leads from offsets to what is no entry."""

    database: Database
    topic: list[Record] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    bad: dict[int, str] = field(default_factory=dict)

    def add(self, messages: list[Any], bad: Any = None) -> None:
        """Send messages, all of which shall be recorded but `bad`."""
        for message in messages:
            if message is bad:
                self.bad[len(self.topic)] = entry_id(message)
            else:
                self.expected.add(entry_id(message))
            self.topic.append(codec.encode(ENTRIES_REQUESTED, message))

    @asynccontextmanager
    async def recorder(self, step: int = 0) -> AsyncIterator[Recorder]:
        """A writer that has just started, and dies at a step counted from its start on."""
        dsn = self.database.role_dsn("bookkeeping")
        connection: Any = await asyncpg.connect(dsn, statement_cache_size=0)
        mortal: Any = Mortal(connection, step)
        try:
            held = await pen.take(mortal, 0, ORIGIN, OWNER)
            awaited = await waiting.awaited(mortal, 0)
            yield Recorder(mortal, held, Composer(ORIGIN), awaited, held.next_offset)
        finally:
            connection.terminate()

    async def work(self, recorder: Recorder, size: int, again: int = 0) -> None:
        """Record a batch from where the writer is, or from before it: Kafka may repeat itself."""
        start = max(0, recorder.offset - again)
        records = self.topic[start : recorder.offset + size]
        items = [
            read(Delivery(one.topic, 0, offset, one.key, one.headers, one.value))
            for offset, one in enumerate(records, start)
        ]
        await recorder.record(items)

    async def drain(self) -> None:
        """Record everything that is left, with nothing going wrong."""
        async with self.recorder() as recorder:
            while recorder.offset < len(self.topic):
                await self.work(recorder, 50)

    async def check(self, seed: object) -> None:
        """Everything expected is recorded once, nothing waits, only what is bad is set aside."""
        async with self.database.connect() as connection:
            rows = await connection.fetch("SELECT id FROM ledger.entries ORDER BY index")
            ids = [row["id"] for row in rows]
            assert Counter(ids) == Counter(self.expected), f"seed {seed}"
            assert await connection.fetch("SELECT id FROM ledger.waiting") == [], f"seed {seed}"
            rows = await connection.fetch("SELECT kafka_offset FROM messages.set_aside")
        # A repetition of what waits is dropped, so not every offset of a bad message is kept.
        kept = [self.bad[row["kafka_offset"]] for row in rows]
        assert set(kept) == set(self.bad.values()), f"seed {seed}"

    async def audit(self) -> None:
        """Bytes, chains, tree and balances, judged by the verifier and by adding up again."""
        rows = await self.database.fetch(
            "SELECT index, bytes, leaf_hash FROM ledger.entries ORDER BY index"
        )
        assert [row["index"] for row in rows] == list(range(len(rows)))
        assert all(leaf == leaf_hash(data) for _, data, leaf in rows)
        audit([row["bytes"] for row in rows])
        async with self.database.connect("bookkeeping") as connection:
            held = await pen.take(connection, 0, ORIGIN, OWNER)
        assert held.state.size == len(rows)
        assert held.state.frontier.root() == root_of(row["leaf_hash"] for row in rows)
        sums: Counter[tuple[str, str]] = Counter()
        for record in {record.headers: record for record in self.topic}.values():
            message = codec.decode(ENTRIES_REQUESTED, record.headers, record.value)
            if entry_id(message) in self.expected:
                for line in message.body.postings or ():
                    sums[line.fund, line.account] += int(line.amount)
        balances = await self.database.fetch("SELECT fund, account, amount FROM ledger.balances")
        found = {(row["fund"], row["account"]): int(row["amount"]) for row in balances}
        assert found == dict(sums)


def messages_of(schedule: object, rng: random.Random) -> tuple[list[Any], Any]:
    """Messages of two new organizations, gifts and chains of refunds; and one that is no entry."""
    good = []
    for letter in "AB":
        organization = name("org", f"{schedule}/{letter}")
        good.append(genesis(organization))
        last = None
        for number in range(rng.randint(2, 6)):
            one = gift(organization, f"{schedule}/{letter}/{number}")
            good.append(one)
            if rng.random() < 0.5:
                last = gift(
                    organization, number, kind="refund", donor=None, ref=entry_id(last or one)
                )
                good.append(last)
    unbalanced = postings(5, name("fund", organization))
    unbalanced[1]["amount"] = "-6"
    lines = tuple(PostingRequested(**line) for line in unbalanced)
    return good, gift(organization, f"{schedule}/bad", postings=lines)


@pytest.fixture(scope="module")
def world(postgres_database: Callable[[], str], engine_loop: LoopThread) -> World:
    database = Database(postgres_database())
    engine_loop.run(database.prepare())
    made = World(database)
    made.add([genesis(name("org", "platform"))])
    return made


async def run_schedule(world: World, seed: int) -> None:
    """Deliver shuffled and repeated messages to writers that die, and to one that was overtaken."""
    rng = random.Random(seed)
    good, bad = messages_of(seed, rng)
    sent = good * 2 + rng.choices(good, k=3) + [bad] * rng.randint(0, 2)
    rng.shuffle(sent)
    world.add(sent, bad)
    while True:
        async with world.recorder() as overtaken:
            try:
                async with world.recorder(rng.randint(1, 90)) as recorder:
                    while recorder.offset < len(world.topic):
                        await world.work(recorder, rng.randint(1, 9), rng.choice((0, 0, 2, 7)))
                return
            except CrashError:
                if rng.random() < 0.3:
                    await overtaken_writer_appends_nothing(world, overtaken)


async def overtaken_writer_appends_nothing(world: World, overtaken: Recorder) -> None:
    """Whoever wakes up with an old pen is refused, if the new one was taken before the crash."""
    epoch = await world.database.value("SELECT epoch FROM ledger.writers")
    if epoch > overtaken.pen.epoch:
        with pytest.raises(FencedError):
            await world.work(overtaken, 5)


@pytest.mark.parametrize("first", range(0, SCHEDULES, 20))
async def test_shuffled_repeated_and_crashed_deliveries_record_each_request_once(
    world: World, first: int
) -> None:
    for seed in range(first, first + 20):
        await run_schedule(world, seed)
        await world.check(seed)
    await world.audit()


async def test_a_crash_at_any_single_step_loses_and_repeats_nothing(world: World) -> None:
    step = 0
    while True:
        step += 1
        good, bad = messages_of(f"step {step}", random.Random(step))
        # Twice, and the references before what they name: the batch waits, releases and refuses.
        world.add([*reversed(good[1:]), bad, *good], bad)
        try:
            async with world.recorder(step) as recorder:
                taken = recorder.offset
                await world.work(recorder, len(good))
                await world.work(recorder, len(good) + 1)
            assert recorder.offset == len(world.topic) > taken
            break
        except CrashError:
            await world.drain()
            await world.check(f"step {step}")
    assert step > 40, "a batch has fewer steps than it should have"
    await world.audit()
