"""A batch of deliveries: calls outside, then one transaction; what fails is found and set aside.

| what happens to a message | what becomes of it |
| --- | --- |
| cannot be read | dead letter |
| breaks a rule, or its handling fails for good | dead letter (a broken rule is also announced) |
| cannot be done now, past the bound of tries | its key is parked, with its later messages |
| its key is parked already | waits behind |
| was handled before | nothing |
| the database is away, or lacks a table or grant | nothing is skipped: the batch comes back |

A failure that is a message's own is found by halving: each half is a transaction of its own, and
what the rest causes is committed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from prometheus_client import Counter, Histogram

from topics import dead_letters, inbox
from topics.dead_letters import Verdict
from topics.delivery import Delivery
from topics.failpoints import reach
from topics.outbox import AnyConnection
from workers.runtime.calls import Calls, judge, wait
from workers.runtime.effects import take_effect
from workers.runtime.failures import Fault, delays, fault_of
from workers.runtime.items import Item, read_all
from workers.runtime.limits import Limits
from workers.runtime.worker import Route, Worker

_log = structlog.get_logger("runtime")
_BEHIND: Final = Verdict("parked", "behind", "waits behind an earlier message of its key")

_batch_size = Histogram(
    "worker_batch_size", "Records in a batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
_handled = Counter("worker_messages_handled", "Messages whose effects were committed")
_set_aside = Counter("worker_messages_set_aside", "Messages set aside", ["disposition", "code"])
_halts = Counter("worker_halts", "Batches given back because an engine was not able to")


class HaltError(Exception):
    """This batch cannot be settled now and was not: it must be delivered again."""


class Batches:
    """Settles one batch after the other. `drain` waits until none is under way."""

    def __init__(self, worker: Worker, pool: Any, resources: Any, limits: Limits) -> None:
        self._worker = worker
        self._pool = pool
        self._limits = limits
        self._routes: Mapping[str, Route] = {route.topic.name: route for route in worker.routes}
        self._draining = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.calls = Calls(resources, limits, self._draining)

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Returns when every delivery has had its effect or lies set aside; else HaltError."""
        self._idle.clear()
        try:
            _batch_size.observe(len(deliveries))
            items = read_all(deliveries, self._routes)
            try:
                await self._call(items)
            except Exception as error:
                raise self._halt(error) from None
            await self._settle(items, self._limits.attempts_max)
        finally:
            self._idle.set()

    async def drain(self, timeout_s: float) -> bool:
        """Wait for the batch under way, which tries nothing again meanwhile; False if too long."""
        self._draining.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def resume(self) -> None:
        """Try failures again as usual."""
        self._draining.clear()

    async def _call(self, items: Sequence[Item]) -> None:
        """Make the calls for what is neither handled already nor parked."""
        wanted = [item for item in items if item.needs_call]
        if not wanted:
            return
        async with self._pool.acquire() as connection:
            parked = await self._parked(connection, wanted)
            seen = await inbox.seen(connection, self._worker.name, _ids(wanted))
        await self.calls.make(
            item
            for item in wanted
            if item.key not in parked and item.message is not None and item.message.id not in seen
        )

    async def _settle(self, items: Sequence[Item], tries: int) -> None:
        waits = delays(self._limits.retry_delay_s_first, self._limits.retry_delay_s_max)
        while True:
            try:
                await self._write(items)
            except Exception as error:
                tries -= 1
                fault = fault_of(error)
                if fault in {Fault.RULE, Fault.MESSAGE}:
                    return await self._halve(items, error, self._limits.attempts_max)
                if self._draining.is_set():
                    raise self._halt(error) from None
                if tries <= 0:
                    if fault is Fault.DEPLOYMENT or not await self._database_answers():
                        raise self._halt(error) from None
                    return await self._halve(items, error, 1)
                _log.warning("batch_retried", worker=self._worker.name, error=type(error).__name__)
                await wait(self._draining, next(waits))
            else:
                return None

    async def _halve(self, items: Sequence[Item], error: Exception, tries: int) -> None:
        """Settle the halves one by one; a single item is what the error is about."""
        if len(items) > 1:
            middle = len(items) // 2
            await self._settle(items[:middle], tries)
            await self._settle(items[middle:], tries)
            return
        if items[0].verdict is not None:  # Setting it aside is what failed.
            raise self._halt(error) from None
        judge(items[0], error, self._limits.park_delay_s_first)
        await self._settle(items, self._limits.attempts_max)

    async def _write(self, items: Sequence[Item]) -> None:
        """One transaction for these items."""
        async with self._pool.acquire() as connection, connection.transaction():
            new, aside = await self._sort(connection, items)
            rows = [(item.delivery, item.message, verdict) for item, verdict in aside]
            await dead_letters.put(connection, self._worker.name, rows)
            told = [item for item, _ in aside if item.tell]
            count = await take_effect(connection, self._worker, new, told)
            reach("runtime.before_commit")
        reach("runtime.committed")
        _handled.inc(count)
        for item, verdict in aside:
            _set_aside.labels(verdict.disposition, verdict.code).inc()
            self._report(item, verdict)

    async def _sort(
        self, connection: AnyConnection, items: Sequence[Item]
    ) -> tuple[list[Item], list[tuple[Item, Verdict]]]:
        """What to handle, and what to set aside with which verdict; the rest was handled before."""
        parked = await self._parked(connection, items)
        # Not called: handled before, or its key was parked when the calls were made.
        waiting = [item for item in items if item.key in parked or item.needs_call]
        seen = await inbox.seen(connection, self._worker.name, _ids(waiting)) if waiting else ()
        new: list[Item] = []
        aside: list[tuple[Item, Verdict]] = []
        for item in items:
            if item.verdict is not None and item.verdict.disposition == "dead":
                aside.append((item, item.verdict))
            elif item.message is not None and item.message.id in seen:
                continue
            elif item.key in parked or item.needs_call:
                parked.add(item.key)
                aside.append((item, _BEHIND))
            elif item.verdict is not None:
                aside.append((item, item.verdict))
                parked.add(item.key)
            else:
                new.append(item)
        return new, aside

    async def _parked(
        self, connection: AnyConnection, items: Sequence[Item]
    ) -> set[tuple[str, bytes]]:
        keys = [item.key for item in items]
        return await dead_letters.parked_keys(connection, self._worker.name, keys)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(5), self._pool.acquire() as connection:
                await connection.execute("SELECT 1")
        except Exception as error:
            _log.warning("database_away", worker=self._worker.name, error=type(error).__name__)
            return False
        return True

    def _halt(self, error: BaseException) -> HaltError:
        _halts.inc()
        _log.error("batch_given_back", worker=self._worker.name, error=type(error).__name__)
        return HaltError(type(error).__name__)

    def _report(self, item: Item, verdict: Verdict) -> None:
        _log.warning(
            "message_set_aside",
            worker=self._worker.name,
            disposition=verdict.disposition,
            code=verdict.code,
            topic=item.delivery.topic,
            partition=item.delivery.partition,
            offset=item.delivery.offset,
            message=str(item.message.id) if item.message else None,
        )


def _ids(items: Sequence[Item]) -> list[Any]:
    return [item.message.id for item in items if item.message is not None]
