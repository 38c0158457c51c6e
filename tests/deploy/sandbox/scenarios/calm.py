"""The real workers and the writer of the log on a calm day: all comes once and in its order.

Stripe is the sandbox in this process, so that time passes by the story's steps alone.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import orjson

from contracts.donations import DonationRequested
from contracts.message import Envelope
from ledger.entry import Composer
from ledger.store import pen, waiting
from tests.histories.ledger import Entry, read_balances, read_entries
from tests.histories.leisure import at_leisure
from tests.histories.sandbox import KEY, NOW_S, Sandbox, in_process
from tests.histories.trouble import Weather
from tests.ledger.making import ORIGIN
from tests.workers.bench import Bench, event, gift, new
from tests.workers.ledger_stand import genesis
from topics.registry import DONATIONS_REQUESTED, ENTRIES_REQUESTED
from workers.bookkeeping import incoming
from workers.bookkeeping.recorder import Recorder
from workers.fees.worker import WORKER as FEES
from workers.payments.resources import open_payments
from workers.payments.worker import WORKER as PAYMENTS
from workers.payouts.worker import WORKER as PAYOUTS
from workers.payouts.worker import open_payouts
from workers.runtime.batch import Batches
from workers.runtime.limits import Limits
from workers.runtime.parked import Parked
from workers.runtime.worker import Worker

#: Worker -> its resources. Payouts come last: they are split by what the others have booked.
OPENINGS: tuple[tuple[Worker, Any], ...] = (
    (PAYMENTS, open_payments),
    (FEES, None),
    (PAYOUTS, open_payouts),
)
WORKERS = [worker for worker, _ in OPENINGS]
#: What fails is parked, and due again at once.
LIMITS = Limits(attempts_max=1, park_delay_s_first=0.0, park_delay_s_max=0.0, lease_s=0.0)
PLATFORM = new("org")


class Stripe:
    """The sandbox, reached as stories reach it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()

    async def ask(
        self, method: str, path: str, account: str | None = None, /, **parameters: Any
    ) -> Any:
        return await self.sandbox.ask(method, path, account, **parameters)


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker at work."""

    batches: Batches
    parked: Parked

    @classmethod
    def of(cls, worker: Worker, pool: Any, resources: Any) -> "Hand":
        batches = Batches(worker, pool, resources, LIMITS)
        return cls(batches, Parked(worker, pool, batches.calls, LIMITS))


class Calm:
    """A platform for one organization; it is the giver of a story too."""

    def __init__(self, bench: Bench, stripe: Stripe, recorder: Recorder) -> None:
        self.bench, self.stripe, self.recorder = bench, stripe, recorder
        self.hands: dict[str, Hand] = {}
        self.queues: dict[str, list[Envelope[Any]]] = {worker.name: [] for worker in WORKERS}

    async def found(self, account: str) -> None:
        self.account = account
        self.organization, self.fund = await self.bench.organization(account)
        await self._record([genesis(self.organization)])

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW_S, UTC) + timedelta(
            seconds=self.stripe.sandbox.world.clock_offset_s
        )

    async def give(self, account: str, amount: int, currency: str, method: str) -> str | None:
        """A gift through the workers, and all that follows."""
        promised: Envelope[DonationRequested] = gift(
            self.organization,
            self.fund,
            amount_minor=amount,
            charge_amount_minor=amount,
            currency=currency.upper(),
            fund_currency="EUR",
            payment_method=method,
            time=self.now(),
        )
        assert promised.type == DONATIONS_REQUESTED.name
        self.queues[PAYMENTS.name].append(promised)
        await self.rest()
        for intent in self.stripe.sandbox.objects("payment_intent", account):
            if intent["metadata"]["donation"] == promised.body.donation:
                return str(intent["id"])
        return None

    async def rest(self) -> None:
        """Work until nothing is left, what was parked included."""
        while True:
            self._arrive()
            worker = next((name for name, queue in self.queues.items() if queue), None)
            if worker is not None:
                taken, self.queues[worker] = self.queues[worker], []
                await self.hands[worker].batches.settle([self.bench.delivery(one) for one in taken])
            elif not any([await hand.parked.try_due() for hand in self.hands.values()]):
                return
            sent = await self.bench.sent()
            self._queue(sent)
            await self._record([each for each in sent if each.type == ENTRIES_REQUESTED.name])

    def _arrive(self) -> None:
        """Take the events that Stripe sent."""
        arrived = sorted(self.stripe.sandbox.post.take(Random(0), Weather()))
        for sequence, body in arrived:
            told = orjson.loads(body)
            self.stripe.sandbox.post.arrived(sequence)
            if told.get("account") == self.account and "id" in told["data"]["object"]:
                found = told["data"]["object"]["id"]
                self._queue(
                    [event(self.organization, self.account, told["type"], found, event=told["id"])]
                )

    def _queue(self, messages: list[Envelope[Any]]) -> None:
        for worker in WORKERS:
            topics = {route.topic.name for route in worker.routes}
            self.queues[worker.name] += [each for each in messages if each.type in topics]

    async def _record(self, requests: list[Envelope[Any]]) -> None:
        if requests:
            first = self.recorder.offset
            placed = [
                replace(self.bench.delivery(one), offset=first + number)
                for number, one in enumerate(requests)
            ]
            await self.recorder.record([incoming.read(one) for one in placed])

    async def entries(self) -> list[Entry]:
        """What was recorded, the genesis apart."""
        found = await read_entries(self.recorder.connection, [self.organization])
        for table in ("ledger.waiting", "messages.set_aside"):
            left = await self.bench.fetch(f"SELECT * FROM {table}")
            assert left == [], table
        return [entry for entry in found if entry.kind != "genesis"]

    async def balances(self) -> dict[tuple[str, str], int]:
        """By account and currency, as the ledger keeps them."""
        kept = await read_balances(self.recorder.connection, [self.organization])
        assert {fund for _, fund, _, _ in kept} <= {self.fund}
        return {(name, currency): amount for (_, _, name, currency), amount in kept.items()}


@asynccontextmanager
async def calm(bench: Bench, key_file: Path) -> AsyncIterator[Calm]:
    """The platform, without an organization yet."""
    async with AsyncExitStack() as stack:
        client = stack.enter_context(in_process())
        stripe = Stripe()
        stack.callback(stripe.sandbox.close)
        client.sandbox = stripe.sandbox
        writer = await asyncpg.connect(bench.role_dsn("bookkeeping"))
        stack.push_async_callback(writer.close)
        held = await pen.take(writer, 0, ORIGIN, "scenarios")
        awaited = await waiting.awaited(writer, 0)
        recorder = Recorder(writer, held, Composer(ORIGIN), awaited, held.next_offset)
        made = Calm(bench, stripe, recorder)
        settings = {
            "AMPLY_STRIPE_KEY": KEY,
            "AMPLY_MASTER_KEY": str(key_file),
            "AMPLY_URL": "https://amply.example",
        }
        for worker, opening in OPENINGS:
            dsn = bench.role_dsn(worker.name)
            pool = await stack.enter_async_context(bench.pool(worker.name))
            resources: Any = None
            if opening is not None:
                own = opening({**settings, "AMPLY_POSTGRES": dsn})
                resources = await stack.enter_async_context(own)
                resources = replace(resources, stripe=at_leisure(resources.stripe))
            if worker is PAYMENTS:
                resources = replace(resources, now=made.now)
            made.hands[worker.name] = Hand.of(worker, pool, resources)
        if held.state.size == 0:
            await made._record([genesis(PLATFORM)])
        await stripe.ask(
            "POST",
            "/v1/webhook_endpoints",
            **{"url": "http://edge.test/", "connect": "true", "enabled_events[0]": "*"},
        )
        yield made
