"""Parked messages: the worker tries them again by itself, in order of each key.

Success takes the message out and goes on with the next of its key at once; a further failure waits
twice as long; a failure that is the message's own makes it a dead letter, and its key goes on.
"""

import asyncio
from typing import Any

import structlog
from prometheus_client import Gauge

from topics import dead_letters
from topics.dead_letters import SetAside
from topics.failpoints import reach
from topics.sessions import DATABASE_ERRORS
from workers.runtime.calls import Calls, judge, wait
from workers.runtime.effects import take_effect
from workers.runtime.failures import park_delay_s
from workers.runtime.items import Item, read
from workers.runtime.limits import Limits
from workers.runtime.worker import Act, Worker

_log = structlog.get_logger("runtime")
_lying = Gauge("worker_messages_lying_aside", "Messages that lie set aside", ["disposition"])


class Parked:
    """`run` tries what is due until `stopping` is set."""

    def __init__(self, worker: Worker, pool: Any, calls: Calls, limits: Limits) -> None:
        self._worker = worker
        self._pool = pool
        self._calls = calls
        self._limits = limits
        self._routes = {route.topic.name: route for route in worker.routes}

    async def run(self, stopping: asyncio.Event) -> None:
        """Look once a second, and again at once while something succeeds."""
        while not stopping.is_set():
            try:
                progressed = await self.try_due()
            except DATABASE_ERRORS as error:
                _log.warning("parked_not_tried", error=type(error).__name__)
                progressed = False
            if not progressed:
                await wait(stopping, self._limits.park_poll_s)

    async def try_due(self) -> bool:
        """Try the first message of each key that is due; whether any of them left the queue."""
        async with self._pool.acquire() as connection:
            due = await dead_letters.claim_due(
                connection,
                self._worker.name,
                limit=self._limits.calls_max,
                lease_s=self._limits.lease_s,
            )
            for disposition, number in (
                await dead_letters.count(connection, self._worker.name)
            ).items():
                _lying.labels(disposition).set(number)
        results = await asyncio.gather(*(self._try(row) for row in due))
        return any(results)

    async def _try(self, row: SetAside) -> bool:
        route = self._routes.get(row.delivery.topic)
        if route is None:
            return False  # The worker no longer reads this topic; the row stays for its operators.
        item = read(row.delivery, route)
        delay_s = park_delay_s(
            row.attempts, self._limits.park_delay_s_first, self._limits.park_delay_s_max
        )
        error: BaseException | None = None
        if item.verdict is None and isinstance(route, Act):
            error = await self._calls.once(item)
        if item.verdict is None and error is None:
            try:
                await self._finish(row, item)
            except Exception as failure:
                error = failure
            else:
                return True
        if error is not None:
            judge(item, error, delay_s)
        return await self._put_back(row, item)

    async def _finish(self, row: SetAside, item: Item) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await take_effect(connection, self._worker, [item], [])
            await dead_letters.remove(connection, row.position)
            reach("runtime.before_commit")
        reach("runtime.committed")
        _log.info("parked_message_handled", position=row.position, attempts=row.attempts)

    async def _put_back(self, row: SetAside, item: Item) -> bool:
        """Write the verdict on a message that failed again; whether its key may go on."""
        verdict = item.verdict
        assert verdict is not None
        async with self._pool.acquire() as connection, connection.transaction():
            if verdict.disposition == "dead":
                await dead_letters.bury(connection, row.position, verdict)
                if item.tell:
                    await take_effect(connection, self._worker, [], [item])
            else:
                await dead_letters.postpone(connection, row.position, verdict)
        _log.warning(
            "parked_message_failed",
            position=row.position,
            attempts=row.attempts,
            disposition=verdict.disposition,
            code=verdict.code,
            again_in_s=verdict.delay_s,
        )
        return verdict.disposition == "dead"
