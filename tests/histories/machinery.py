"""The platform's machinery without Kafka: outbox, topics as heaps of deliveries, real workers.

A worker takes any messages that lie before it, in any order, some twice, by the runtime's own
batches; it may die at a step of its own (a failpoint), and what it had taken lies there again.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from contracts.message import Envelope
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.webhooks.reception import Reception
from ledger.entry import Composer
from ledger.store import announcing, pen, waiting
from tests.histories.sandbox import KEY, NOW_S, Client, Sandbox, in_process
from tests.ledger.making import ORIGIN
from tests.workers.bench import Bench, new
from tests.workers.ledger_stand import genesis
from topics import codec, failpoints, outbox
from topics.delivery import Delivery
from topics.registry import ENTRIES_REQUESTED, TOPICS
from topics.sessions import leave_as_is
from workers.bookkeeping import incoming
from workers.bookkeeping.announcer import announcement
from workers.bookkeeping.recorder import Recorder
from workers.donations.worker import WORKER as DONATIONS
from workers.fees.worker import WORKER as FEES
from workers.payments.worker import WORKER as PAYMENTS
from workers.payouts.worker import WORKER as PAYOUTS
from workers.runtime.batch import Batches
from workers.runtime.limits import Limits
from workers.runtime.parked import Parked
from workers.runtime.worker import Worker

WORKERS = (PAYMENTS, FEES, PAYOUTS, DONATIONS)
#: Nothing waits by the real clock: what fails is parked, and due again whenever somebody looks.
LIMITS = Limits(
    attempts_max=2,
    retry_delay_s_first=0.0,
    retry_delay_s_max=0.0,
    park_delay_s_first=0.0,
    park_delay_s_max=0.0,
    lease_s=0.0,
)
MASTER_KEY = b"\x11" * 32


class DeathError(BaseException):
    """The process is gone; no handler of errors in it hears of that."""


class Dying:
    """An armed failpoint: the `left`-th time that `name` is reached, the process dies."""

    signal = 0

    def __init__(self, name: str, left: int) -> None:
        self.name, self.left = name, left
        self.marker = self

    def touch(self) -> None:
        self.name = ""
        raise DeathError


@dataclass
class Consumer:
    """A worker and the heap of deliveries before it."""

    worker: Worker
    pool: Any
    resources: Any
    heap: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topics = {route.topic.name for route in self.worker.routes}
        self._begin()

    def _begin(self) -> None:
        self.batches = Batches(self.worker, self.pool, self.resources, LIMITS)
        self.parked = Parked(self.worker, self.pool, self.batches.calls, LIMITS)

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """One batch; after a death a new process has everything to do again."""
        try:
            await self.batches.settle(deliveries)
        except (DeathError, BaseExceptionGroup) as error:
            if isinstance(error, BaseExceptionGroup) and error.split(DeathError)[1] is not None:
                raise
            self.heap += deliveries
            self._begin()

    async def retry(self) -> bool:
        """What was parked, once; whether any of it left the queue."""
        try:
            return await self.parked.try_due()
        except (DeathError, BaseExceptionGroup) as error:
            if isinstance(error, BaseExceptionGroup) and error.split(DeathError)[1] is not None:
                raise
            self._begin()
            return True


class Machinery:
    """All that lies between a message and the ledger, for many histories one after the other."""

    def __init__(self, bench: Bench, client: Client, consumers: Sequence[Consumer]) -> None:
        self.bench = bench
        self.consumers = consumers
        self.writing: list[Delivery] = []
        self._client = client
        self._offset = 0

    async def begin(self, connection: Any, reception: Reception, directory: Directory) -> None:
        """Take the pen."""
        self.connection = connection
        self.reception = reception
        self.directory = directory
        self._writer = await asyncpg.connect(self.bench.role_dsn("bookkeeping"))
        held = await pen.take(self._writer, 0, ORIGIN, "histories")
        awaited = await waiting.awaited(self._writer, 0)
        self._recorder = Recorder(self._writer, held, Composer(ORIGIN), awaited, held.next_offset)
        self._offset = held.next_offset
        self._announced = held.state.size

    def use(self, sandbox: Sandbox) -> None:
        """Let this be Stripe from now on."""
        self._client.sandbox = sandbox
        self.directory.forget()

    def now(self) -> datetime:
        """The business clock: the sandbox's."""
        return datetime.fromtimestamp(NOW_S, UTC) + timedelta(
            seconds=self._client.sandbox.world.clock_offset_s
        )

    def send(self, message: Envelope[Any]) -> None:
        """Put a message into its topic, as the edge would."""
        record = codec.encode(TOPICS[message.type], message)
        self._publish(record.topic, record.key, record.headers, record.value)

    def _publish(self, topic: str, key: bytes, headers: Any, value: bytes) -> None:
        self._offset += 1
        delivery = Delivery(topic, 0, self._offset, key, headers, value)
        if topic == ENTRIES_REQUESTED.name:
            self.writing.append(delivery)
        for consumer in self.consumers:
            if topic in consumer.topics:
                consumer.heap.append(delivery)

    async def relay(self) -> None:
        """Publish what lies in the outbox."""
        rows = await self.connection.fetch(
            "DELETE FROM messages.outbox RETURNING position, topic, key, headers, value"
        )
        for row in sorted(rows, key=lambda row: int(row["position"])):
            headers = outbox.parse_headers(row["headers"])
            self._publish(row["topic"], row["key"], headers, row["value"])

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Have a batch recorded, and announce what is new in the log."""
        # Requests lie in the topic in the order of these offsets: that of their arrival here.
        first = self._recorder.offset
        placed = [replace(one, offset=first + n) for n, one in enumerate(deliveries)]
        items = [incoming.read(delivery) for delivery in placed]
        await self._recorder.record(items)
        rows = await announcing.after(self._writer, 0, self._announced, 8000)
        for row in rows:
            record = announcement(row, 0)
            self._publish(record.topic, record.key, record.headers, record.value)
        self._announced += len(rows)

    async def round(self, dice: Random, repeated: float, deaths: float) -> bool:
        """One turn of one of those that have something to do; whether anybody had."""
        await self.relay()
        busy = [consumer for consumer in self.consumers if consumer.heap]
        turns: list[Consumer | None] = [*busy, None] if self.writing else [*busy]
        if not turns:
            return False
        turn = dice.choice(turns)
        heap = self.writing if turn is None else turn.heap
        taken = self._take(dice, heap, repeated)
        if turn is None:
            await self.write(taken)
            return True
        armed = arm(dice) if dice.random() < deaths else None
        with dying(armed):
            await turn.settle(taken)
        return True

    def _take(self, dice: Random, heap: list[Delivery], repeated: float) -> list[Delivery]:
        """Some or all of a heap, shuffled, some twice; some come again although they were taken."""
        dice.shuffle(heap)
        number = len(heap) if dice.random() < 0.5 else dice.randint(1, len(heap))
        taken, heap[:] = heap[:number], heap[number:]
        again = [one for one in taken if dice.random() < repeated]
        for one in again:
            self._offset += 1
            copy = replace(one, offset=self._offset)
            (taken if dice.random() < 0.5 else heap).append(copy)
        return taken

    async def retry(self) -> bool:
        """Try what is parked."""
        found = [await consumer.retry() for consumer in self.consumers]
        await self.relay()
        return any(found)

    async def abandon(self) -> None:
        """Forget what a history left undone, so that the next one begins with nothing."""
        for consumer in self.consumers:
            consumer.heap.clear()
        self.writing.clear()
        await self.connection.execute(
            "DELETE FROM messages.outbox; DELETE FROM messages.set_aside; "
            "DELETE FROM ledger.waiting"
        )
        self._recorder.awaited.clear()

    async def close(self) -> None:
        await self._writer.close()


#: Where a worker can die: before its transaction, in it, after it.
STEPS = ("payments.answered", "runtime.before_commit", "runtime.committed")


def arm(dice: Random) -> Dying:
    """A death at a step of chance."""
    return Dying(dice.choice(STEPS), dice.randint(1, 2))


class dying:
    """While it is open, a failpoint is armed."""

    def __init__(self, armed: Dying | None) -> None:
        self._armed = armed

    def __enter__(self) -> None:
        failpoints._armed = self._armed  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        failpoints._armed = None


@asynccontextmanager
async def machinery(bench: Bench, scratch: Path) -> AsyncIterator[Machinery]:
    """The workers with their own resources, on a migrated database; time is the sandbox's."""
    key_file = scratch / "master.key"
    key_file.write_text(MASTER_KEY.hex() + "\n")
    key_file.chmod(0o600)
    async with AsyncExitStack() as stack:
        client = stack.enter_context(in_process())
        consumers: list[Consumer] = []
        made = Machinery(bench, client, consumers)
        for worker in WORKERS:
            dsn = bench.role_dsn(worker.name)
            pool = await stack.enter_async_context(
                asyncpg.create_pool(dsn, min_size=1, max_size=8, reset=leave_as_is)
            )
            settings = {
                "AMPLY_POSTGRES": dsn,
                "AMPLY_STRIPE_KEY": KEY,
                "AMPLY_MASTER_KEY": str(key_file),
            }
            resources = None
            if worker.resources is not None:
                resources = await stack.enter_async_context(worker.resources(settings))
                if any(one.name == "now" for one in fields(resources)):
                    resources = replace(resources, now=made.now)
            consumers.append(Consumer(worker, pool, resources))
        database = Database(bench.role_dsn("edge"))
        await database.open()
        stack.push_async_callback(database.close)
        directory = Directory(database)
        directory.is_caching = True
        reception = Reception(database, directory, MASTER_KEY, is_live=False)
        reception.start()
        stack.push_async_callback(reception.close)
        connection = await asyncpg.connect(bench.dsn)
        stack.push_async_callback(connection.close)
        await made.begin(connection, reception, directory)
        stack.push_async_callback(made.close)
        made.send(genesis(new("org")))  # The platform's own chain comes first in a log.
        await made.write(made.writing)
        made.writing.clear()
        yield made
