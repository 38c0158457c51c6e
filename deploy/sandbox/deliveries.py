"""Sends events to webhook endpoints, signed as Stripe signs them, until they answer 2xx.

At least once and unordered. What is still to send is in the store, so a restart goes on with it.
Signatures and retries use real time, whatever the business clock says.
"""

import asyncio
import hashlib
import hmac
import sqlite3
import time
from dataclasses import dataclass

import aiohttp
import structlog

from deploy.sandbox.calls import Endpoint, World
from deploy.sandbox.faults import WEBHOOK, Faults

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How deliveries run: at once at most, time for an answer, and the back-off between tries."""

    concurrency: int = 16
    timeout_s: float = 10.0
    retry_delay_s: float = 0.25
    retry_delay_s_max: float = 3600.0
    attempts_max: int = 20

    def delay_s(self, attempts: int) -> float:
        """Return how long to wait after this many failed attempts."""
        return min(self.retry_delay_s * float(2 ** (attempts - 1)), self.retry_delay_s_max)


def signature_header(secret: str, body: bytes, timestamp: int) -> str:
    """Return the `Stripe-Signature` header: HMAC-SHA256 of `timestamp.body`, scheme v1."""
    mac = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


class Deliveries:
    """The queue of deliveries that are due, and the workers that send them."""

    def __init__(self, world: World, faults: Faults, settings: DeliverySettings) -> None:
        self._world = world
        self._faults = faults
        self._settings = settings
        self._ready: asyncio.Queue[int] = asyncio.Queue()
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
            self._schedule(sequence, due - time.time())
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
                self._schedule(sequence, fault.seconds * chance)
            else:
                for _ in range(2 if action == "duplicate" else 1):
                    self._ready.put_nowait(sequence)

    def retry_all(self) -> int:
        """Try everything that waits for a retry now; returns how many."""
        rows = self._world.store.database.execute(
            "SELECT sequence FROM deliveries WHERE state = 'pending'"
        ).fetchall()
        for row in rows:
            self._ready.put_nowait(row[0])
        return len(rows)

    def _schedule(self, sequence: int, delay_s: float) -> None:
        if delay_s <= 0:
            self._ready.put_nowait(sequence)
        else:
            asyncio.get_running_loop().call_later(delay_s, self._ready.put_nowait, sequence)

    async def _work(self) -> None:
        while True:
            sequence = await self._ready.get()
            await self._running.wait()
            try:
                await self._attempt(sequence)
            except sqlite3.Error:
                # The row stays pending, so nothing is lost; the next start or retry sends it.
                log.exception("delivery_bookkeeping_failed", sequence=sequence)

    async def _attempt(self, sequence: int) -> None:
        row = self._world.store.database.execute(
            "SELECT d.endpoint, d.attempts, d.state, o.body FROM deliveries d "
            "JOIN objects o ON o.id = d.event WHERE d.sequence = ?",
            (sequence,),
        ).fetchone()
        if row is None:
            return
        endpoint_id, attempts, state, body = row
        endpoint = self._world.endpoints.get(endpoint_id)
        if endpoint is None:
            self._world.store.end_delivery(sequence, "canceled", None)
            return
        status = await self._post(endpoint, body.encode())
        if status is not None and 200 <= status < 300:
            self._world.store.end_delivery(sequence, "delivered", status)
        elif state == "pending":
            self._fail(sequence, attempts + 1, status)

    async def _post(self, endpoint: Endpoint, body: bytes) -> int | None:
        assert self._session is not None, "start() comes first"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(endpoint.secret, body, int(time.time())),
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        try:
            async with self._session.post(
                endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _fail(self, sequence: int, attempts: int, status: int | None) -> None:
        delay_s = self._settings.delay_s(attempts)
        given_up = attempts >= self._settings.attempts_max
        with self._world.store.unit() as database:
            database.execute(
                "UPDATE deliveries SET state = ?, status = ?, attempts = ?, due = ? "
                "WHERE sequence = ? AND state = 'pending'",
                (
                    "failed" if given_up else "pending",
                    status,
                    attempts,
                    time.time() + delay_s,
                    sequence,
                ),
            )
        if not given_up:
            self._schedule(sequence, delay_s)
