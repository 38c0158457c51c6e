"""Carries out calls: one savepoint, one awaited commit, then the deliveries that it caused."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from deploy.sandbox import captures, events, timers
from deploy.sandbox.calls import Call, World
from deploy.sandbox.deliveries import Deliveries
from deploy.sandbox.errors import StripeError
from deploy.sandbox.faults import Faults
from deploy.sandbox.idempotency import Keys

log = structlog.get_logger()

Result = TypeVar("Result")

HOUSEKEEPING_INTERVAL_S = 3600.0
TIMERS_INTERVAL_S = 1.0
TIMERS_AT_ONCE = 50
_FORGOTTEN = (
    "tags WHERE kind = 'event' AND sequence IN (SELECT sequence",
    "deliveries WHERE event IN (SELECT id",
    "objects WHERE id IN (SELECT id",
)
# Events up to a sequence, whose deliveries have ended.
_OLD = (
    "FROM objects WHERE kind = 'event' AND sequence <= ? AND NOT EXISTS "
    "(SELECT 1 FROM deliveries d WHERE d.event = objects.id AND d.state = 'pending')"
)


class Engine:
    """The running sandbox: its state, faults, keys and deliveries."""

    def __init__(
        self, world: World, faults: Faults, deliveries: Deliveries, platform_key: str
    ) -> None:
        self.world = world
        world.faults = faults
        self.faults = faults
        self.deliveries = deliveries
        self.platform_key = platform_key
        self.keys = Keys(world.store)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Go on with what an earlier process left, and begin housekeeping."""
        self.world.load_endpoints()
        self.world.load_rates()
        self.world.load_pricing()
        self.world.load_revoked()
        await self.deliveries.start()
        rows = self.world.store.database.execute(
            "SELECT charge, due FROM late_transactions WHERE due IS NOT NULL"
        ).fetchall()
        self._book_later(rows)
        self._spawn(self._keep_house())
        self._spawn(self._watch_timers())

    async def stop(self) -> None:
        """Stop background work; everything unfinished is in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deliveries.stop()
        self.world.store.close()

    async def run(self, call: Call, function: Callable[[Call], Result]) -> Result:
        """Do one call's work as a whole; returns when all it saw or did is durable."""
        if call.reading:
            result = function(call)
            await self.world.store.committed()
            return result
        result = self._do(call, function)
        await self.world.store.committed()
        self._tell(call)
        if call.timers_due:
            await self.run_timers()
        return result

    def _do(self, call: Call, function: Callable[[Call], Result]) -> Result:
        with self.world.store.unit():
            result = function(call)
        if call.endpoints_changed:
            self.world.load_endpoints()
        return result

    def _tell(self, call: Call) -> None:
        if call.emitted:
            self.deliveries.enqueue(call.emitted)
        if call.late_charges:
            self._book_later(call.late_charges)

    async def release_late_transactions(self) -> int:
        """Book every charge whose balance transaction is still missing; returns how many."""
        rows = self.world.store.database.execute("SELECT charge FROM late_transactions").fetchall()
        for row in rows:
            await self.book(row[0])
        return len(rows)

    async def book(self, charge_id: str) -> None:
        """Give a charge its late balance transaction and say so with `charge.updated`."""
        found = self.world.store.find(charge_id)
        if found is not None:
            await self.run(Call(self.world, found[0], {}, (charge_id,)), _book)

    async def run_timers(self) -> int:
        """Carry out every timer whose time has come, in order; returns how many."""
        done = 0
        while batch := self._run_due(TIMERS_AT_ONCE):
            await self.world.store.committed()
            for call in batch:
                self._tell(call)
            done += len(batch)
        return done

    def _run_due(self, limit: int) -> list[Call]:
        calls: list[Call] = []
        while len(calls) < limit and (call := timers.next_due(self.world)) is not None:
            given = dict(call.params)
            try:
                self._do(call, timers.carry_out)
            except Exception as error:
                # Undone as a whole; its object went on another way meanwhile, or we have a bug.
                log.warning("timer_dropped", **given, exc_info=not isinstance(error, StripeError))
                call = Call(self.world, call.account, given)
                self._do(call, timers.drop)
            calls.append(call)
        return calls

    async def _watch_timers(self) -> None:
        while True:
            await self.run_timers()
            await asyncio.sleep(TIMERS_INTERVAL_S)

    def _book_later(self, charges: list[tuple[str, float]]) -> None:
        for charge_id, due in charges:
            self._spawn(self._book_at(charge_id, due))

    async def _book_at(self, charge_id: str, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.time()))
        await self.book(charge_id)

    async def _keep_house(self) -> None:
        while True:
            self.forget_old()
            await asyncio.sleep(HOUSEKEEPING_INTERVAL_S)

    def forget_old(self) -> None:
        """Drop idempotency keys after a day and events, with their deliveries, after 30.

        An event that is still being delivered stays: a clock moved by months loses no webhook.
        """
        now = self.world.now()
        with self.world.store.unit() as database:
            self.keys.forget_old(now)
            row = database.execute(
                "SELECT MAX(sequence) FROM objects WHERE created < ?", (now - events.RETENTION_S,)
            ).fetchone()
            if row[0] is None:
                return
            for rows in _FORGOTTEN:
                database.execute(f"DELETE FROM {rows} {_OLD})", row)  # noqa: S608 - fixed texts

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _book(call: Call) -> None:
    taken = call.store.database.execute(
        "DELETE FROM late_transactions WHERE charge = ?", call.ids
    ).rowcount
    if not taken:
        return
    charge = call.load("charge", call.ids[0], "charge")
    captures.post_transaction(call, charge)
    call.store.update(charge)
    call.emit("charge.updated", charge, previous={"balance_transaction": None})
