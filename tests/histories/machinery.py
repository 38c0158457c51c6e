"""The platform's machinery without Kafka: outbox, topics as heaps of deliveries, real workers.

A worker takes any messages that lie before it, in any order, some twice, by the runtime's own
batches; it may die at a step of its own (a failpoint), and what it had taken lies there again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg

from contracts.message import Envelope
from edge.directory.directory import Directory
from edge.webhooks.reception import Reception
from ledger.entry import Composer
from ledger.store import announcing, pen, waiting
from tests.histories.consumers import Consumer, arm, dying
from tests.histories.reconciling import Reconciling
from tests.histories.sandbox import NOW_S, Client, Sandbox
from tests.histories.trouble import Trouble
from tests.ledger.making import ORIGIN
from tests.workers.bench import Bench
from topics import codec, outbox
from topics.delivery import Delivery
from topics.registry import ENTRIES_REQUESTED, TOPICS
from workers.bookkeeping import incoming
from workers.bookkeeping.announcer import announcement
from workers.bookkeeping.recorder import Recorder


class Machinery:
    """All that lies between a message and the ledger, for many histories one after the other."""

    connection: Any
    reception: Reception
    directory: Directory
    reconciling: Reconciling

    def __init__(self, bench: Bench, client: Client) -> None:
        self.bench = bench
        self.consumers: list[Consumer] = []
        self.writing: list[Delivery] = []
        self._client = client
        self._offset = 0

    async def take_pen(self) -> None:
        """Begin to write the log."""
        self._writer = await asyncpg.connect(self.bench.role_dsn("bookkeeping"))
        held = await pen.take(self._writer, 0, ORIGIN, "histories")
        awaited = await waiting.awaited(self._writer, 0)
        self._recorder = Recorder(self._writer, held, Composer(ORIGIN), awaited, held.next_offset)
        self._announced = held.state.size

    def use(self, sandbox: Sandbox) -> None:
        """Let this be Stripe from now on."""
        self._client.sandbox = sandbox
        self.directory.forget()

    def now(self, *_: object) -> datetime:
        """The business time: the sandbox's."""
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

    async def round(self, dice: Random, trouble: Trouble) -> bool:
        """A turn of one of those that have something to do; whether anybody had.

        Without trouble it is everybody's turn, for all that lies before them, in its order.
        """
        await self.relay()
        busy: list[Consumer | None] = [one for one in self.consumers if one.heap]
        busy += [None] if self.writing else []
        for turn in busy if trouble.is_none else dice.sample(busy, min(1, len(busy))):
            heap = self.writing if turn is None else turn.heap
            taken = self._take(dice, heap, trouble)
            if turn is None:
                await self.write(taken)
                continue
            with dying(arm(dice) if dice.random() < trouble.deaths else None):
                await turn.settle(taken)
        return bool(busy)

    def _take(self, dice: Random, heap: list[Delivery], trouble: Trouble) -> list[Delivery]:
        """Some or all of a heap, shuffled, some twice; some come again although they were taken."""
        if trouble.is_none:
            taken, heap[:] = list(heap), []
            return taken
        dice.shuffle(heap)
        number = len(heap) if dice.random() < 0.6 else dice.randint(1, len(heap))
        taken, heap[:] = heap[:number], heap[number:]
        for one in [one for one in taken if dice.random() < trouble.repeated]:
            self._offset += 1
            copy = replace(one, offset=self._offset)
            (taken if dice.random() < 0.5 else heap).append(copy)
        return taken

    async def retry(self) -> bool:
        """Try what is parked."""
        found = [await consumer.retry() for consumer in self.consumers]
        await self.relay()
        return any(found)

    async def set_clock(self) -> None:
        """Let the database's business clock say what Stripe's says."""
        await self.connection.execute(
            "UPDATE sandbox.business_clock SET ahead = greatest($1 - clock_timestamp(), '0')",
            self.now(),
        )

    async def abandon(self, organizations: Sequence[str]) -> None:
        """Forget what a history left undone, so that the next one begins with nothing."""
        await self.reconciling.forget(self.connection, organizations)
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
