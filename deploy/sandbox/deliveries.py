"""Sends events to webhook endpoints, signed as Stripe signs them, until they answer 2xx.

At least once and unordered. What is still to send is in the store, so a restart goes on with it.
Retries follow the business clock; signatures use real time, for receivers compare with theirs.
"""

import asyncio
import hashlib
import hmac
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import structlog

from deploy.sandbox.calls import Endpoint, World
from deploy.sandbox.faults import WEBHOOK, Faults

log = structlog.get_logger()

MINUTE_S, HOUR_S = 60, 3600
# When a delivery is tried again after it failed (docs.stripe.com/webhooks#retries): live for up to
# three days with exponential back-off, in a sandbox three times over a few hours.
SCHEDULES_S: dict[str, tuple[float, ...]] = {
    "live": (5 * MINUTE_S, HOUR_S / 2, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, *[12 * HOUR_S] * 4),
    "sandbox": (10 * MINUTE_S, HOUR_S, 3 * HOUR_S),
}


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How deliveries run: at once at most, time for an answer, and the wait between tries.

    With a `schedule_s` of waits each is counted from when the try before was due, else the back-off
    from when it failed: a clock moved by days then makes all tries of these days.
    """

    concurrency: int = 16
    timeout_s: float = 10.0
    retry_delay_s: float = 0.25
    retry_delay_s_max: float = 3600.0
    attempts_max: int = 20
    schedule_s: tuple[float, ...] = ()

    def next_due(self, attempts: int, due: float, now: float) -> float | None:
        """Return when to try again after this many failed attempts, or None to give up."""
        if self.schedule_s:
            tried = attempts - 1
            return due + self.schedule_s[tried] if tried < len(self.schedule_s) else None
        return None if attempts >= self.attempts_max else now + self._back_off_s(attempts)

    def _back_off_s(self, attempts: int) -> float:
        return min(self.retry_delay_s * float(2 ** (attempts - 1)), self.retry_delay_s_max)


def signature_header(secrets: Sequence[str], body: bytes, timestamp: int) -> str:
    """Return the `Stripe-Signature` header: HMAC-SHA256 of `timestamp.body`, a v1 per secret."""
    signed = b"%d." % timestamp + body
    macs = [hmac.new(secret.encode(), signed, hashlib.sha256) for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mac.hexdigest()}" for mac in macs)])


class Deliveries:
    """The queue of deliveries that are due, and the workers that send them."""

    def __init__(self, world: World, faults: Faults, settings: DeliverySettings) -> None:
        self._world = world
        self._faults = faults
        self._settings = settings
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._waiting: dict[int, tuple[float, asyncio.TimerHandle]] = {}
        self._running = asyncio.Event()
        self._running.set()
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Begin to send, first of all what an earlier process left."""
        connector = aiohttp.TCPConnector(limit=self._settings.concurrency)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )
        rows = self._world.store.database.execute(
            "SELECT sequence, due FROM deliveries WHERE state = 'pending' ORDER BY sequence"
        )
        for sequence, due in rows.fetchall():
            self._schedule(sequence, due)
        self._workers = [
            asyncio.create_task(self._work()) for _ in range(self._settings.concurrency)
        ]

    async def stop(self) -> None:
        """Stop sending; what is left stays in the store."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def pause(self) -> None:
        """Hold all deliveries that have not begun."""
        self._running.clear()

    def resume(self) -> None:
        """Go on after a pause."""
        self._running.set()

    @property
    def paused(self) -> bool:
        """Whether deliveries are held."""
        return not self._running.is_set()

    def enqueue(self, emitted: list[tuple[int, str]]) -> None:
        """Take committed deliveries (sequence, event type), with the faults that apply to each."""
        for sequence, event_type in emitted:
            fault = self._faults.take(WEBHOOK, event_type) if self._faults.rows else None
            action = fault.action if fault else ""
            if fault and action == "drop":
                self._world.store.end_delivery(sequence, "lost", None)
            elif fault and action in ("delay", "reorder"):
                chance = fault.dice.random() if action == "reorder" else 1.0
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds * chance, self._ready.put_nowait, sequence)
            else:
                for _ in range(2 if action == "duplicate" else 1):
                    self._ready.put_nowait(sequence)

    def retry_all(self) -> int:
        """Try everything that waits for a retry now; returns how many."""
        return self._release(list(self._waiting))

    def wake(self) -> int:
        """Try what is due now, after the business clock was moved; returns how many."""
        now = self._world.clock()
        return self._release([one for one, (due, _) in self._waiting.items() if due <= now])

    def _release(self, sequences: list[int]) -> int:
        for sequence in sequences:
            self._waiting.pop(sequence)[1].cancel()
            self._ready.put_nowait(sequence)
        return len(sequences)

    def _schedule(self, sequence: int, due: float) -> None:
        delay_s = due - self._world.clock()
        if delay_s <= 0:
            self._ready.put_nowait(sequence)
            return
        loop = asyncio.get_running_loop()
        self._waiting[sequence] = due, loop.call_later(delay_s, self._release, [sequence])

    async def _work(self) -> None:
        while True:
            sequence = await self._ready.get()
            await self._running.wait()
            try:
                await self._attempt(sequence)
            except sqlite3.Error:
                # The row stays pending, so nothing is lost; it is sent again.
                log.exception("delivery_bookkeeping_failed", sequence=sequence)
                self._schedule(sequence, self._world.clock() + self._settings.retry_delay_s)

    async def _attempt(self, sequence: int) -> None:
        row = self._world.store.database.execute(
            "SELECT d.endpoint, d.attempts, d.due, d.state, o.body FROM deliveries d "
            "JOIN objects o ON o.id = d.event WHERE d.sequence = ?",
            (sequence,),
        ).fetchone()
        if row is None:
            return
        endpoint_id, attempts, due, state, body = row
        endpoint = self._world.endpoints.get(endpoint_id)
        if endpoint is None:
            self._world.store.end_delivery(sequence, "canceled", None)
            return
        status = await self._post(endpoint, body.encode())
        if status is not None and 200 <= status < 300:
            self._world.store.end_delivery(sequence, "delivered", status)
        elif state == "pending":
            self._fail(sequence, attempts + 1, due, status)

    async def _post(self, endpoint: Endpoint, body: bytes) -> int | None:
        assert self._session is not None, "start() comes first"
        secrets = endpoint.secrets(self._world.now())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(secrets, body, int(time.time())),
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        try:
            async with self._session.post(
                endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _fail(self, sequence: int, attempts: int, due: float, status: int | None) -> None:
        again = self._settings.next_due(attempts, due, self._world.clock())
        with self._world.store.unit() as database:
            database.execute(
                "UPDATE deliveries SET state = ?, status = ?, attempts = ?, due = ? "
                "WHERE sequence = ? AND state = 'pending'",
                (
                    "failed" if again is None else "pending",
                    status,
                    attempts,
                    due if again is None else again,
                    sequence,
                ),
            )
        if again is not None:
            self._schedule(sequence, again)
