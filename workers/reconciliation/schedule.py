"""The process `reconciliation`: sweeps, compares, and answers requests for runs, each in its loop.

Rules: an account that cannot be reached, or that Stripe has no time for, keeps no other one
waiting; nothing here changes what others keep.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from topics.sessions import DATABASE_ERRORS
from workers.gateways.database import open_pool
from workers.gateways.stripe_gateway import open_stripe
from workers.gateways.stripe_listing import Listing, UnreachableError
from workers.reconciliation.account import Resources, check_ledger, reconcile
from workers.reconciliation.looks import NAME
from workers.reconciliation.requests import ACCOUNTS_AT_ONCE, all_of, answer
from workers.reconciliation.store import healing, reading
from workers.reconciliation.store.reading import Account
from workers.reconciliation.sweeping import look_at_stuck, sweep
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.runtime.worker import Refused, Transient
from workers.settings import Settings, seconds

SWEEP_S: Final = 180.0
COMPARE_S: Final = 900.0
#: The pause between two calls for one account: a fifth of what Stripe allows a sandbox.
PAUSE_S: Final = 0.2
#: How long a missed notification can delay a requested run.
POLL_S: Final = 5.0
PULSE_S: Final = 10.0

_log = structlog.get_logger(NAME)
_open = Gauge("reconciliation_open", "Differences that did not heal yet", ["of_class"])
_open_age = Gauge("reconciliation_open_oldest_seconds", "Age of the oldest of them", ["of_class"])
_stuck = Gauge("reconciliation_stuck", "Objects on their way for too long", ["kind"])
_stuck_age = Gauge("reconciliation_stuck_oldest_seconds", "Age of the oldest of them", ["kind"])
_runs = Counter("reconciliation_runs", "Accounts that were compared", ["outcome"])
_swept = Counter("reconciliation_swept_events", "Events that Stripe could not deliver")
_whole = Gauge(
    "reconciliation_whole_run_timestamp_seconds",
    "When the account that waits longest was compared whole, Unix time",
)


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds between two sweeps, and between two comparisons."""

    sweep_s: float
    compare_s: float


async def run(settings: Settings) -> None:
    """Reconcile until told to stop."""
    variables = {**settings.variables, "AMPLY_POSTGRES": settings.postgres}
    periods = Periods(
        seconds(variables, "AMPLY_RECONCILE_SWEEP_S", SWEEP_S),
        seconds(variables, "AMPLY_RECONCILE_COMPARE_S", COMPARE_S),
    )
    pause_s = seconds(variables, "AMPLY_RECONCILE_PAUSE_S", PAUSE_S)
    health = Health()
    async with open_pool(variables) as pool, open_stripe(variables, "reconciliation") as gateway:
        schedule = Schedule(
            Resources(pool, Listing(gateway.patient(), pause_s)), settings.postgres, periods
        )
        health.checks["reconciling"] = schedule.is_working
        health.refresh.append(schedule.measure)
        async with running(settings, health) as stopping:
            await schedule.run(stopping, health)


class Schedule:
    """Runs until `stopping` is set, through restarts of the database."""

    def __init__(self, resources: Resources, dsn: str, periods: Periods) -> None:
        self._resources = resources
        self._dsn = dsn
        self._periods = periods
        self._wake = asyncio.Event()
        self._failing: set[str] = set()

    async def is_working(self) -> bool:
        """Whether every loop's last round came to its end."""
        return not self._failing

    async def measure(self) -> None:
        """Set the gauges before they are read."""
        async with self._resources.pool.acquire() as connection:
            by_class = await healing.open_by_class(connection)
            by_kind = await healing.stuck_by_kind(connection)
            whole = await healing.oldest_whole(connection)
        for found, count, age in ((by_class, _open, _open_age), (by_kind, _stuck, _stuck_age)):
            count.clear()
            age.clear()
            for label, number, age_s in found:
                count.labels(label).set(number)
                age.labels(label).set(age_s)
        if whole is not None:
            _whole.set(whole)

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """All loops."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop("sweep", self.sweep, self._periods.sweep_s, stopping))
            group.create_task(
                self._loop("compare", self.compare, self._periods.compare_s, stopping)
            )
            group.create_task(self._loop("answer", self._listen(stopping), 0.1, stopping))
            while not stopping.is_set():
                health.pulse()
                await wait(stopping, PULSE_S)

    async def _loop(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        period_s: float,
        stopping: asyncio.Event,
    ) -> None:
        pauses = delays(1.0, 60.0)
        while not stopping.is_set():
            task = asyncio.ensure_future(work())
            stopped = asyncio.create_task(stopping.wait())
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not task.done():
                task.cancel()  # What was kept is kept; the rest is done at the next start.
                await asyncio.wait((task,))
                return
            try:
                task.result()
            except (*DATABASE_ERRORS, Transient) as error:
                self._failing.add(name)
                _log.warning("round_interrupted", round=name, error=type(error).__name__)
                await wait(stopping, next(pauses))
            else:
                self._failing.discard(name)
                pauses = delays(1.0, 60.0)
                await wait(stopping, period_s)

    async def sweep(self) -> None:
        """Undelivered events of all accounts, and what is stuck."""
        accounts = await self._accounts()
        for account in (None, *accounts):
            try:
                _swept.inc(await sweep(self._resources, account))
            except (UnreachableError, Transient, Refused) as error:
                name = account.account if account else None
                _log.warning("account_not_swept", account=name, reason=str(error))
        await look_at_stuck(self._resources, accounts)

    async def compare(self) -> None:
        """Every account: its newest days, or once a day everything."""
        turns = asyncio.Semaphore(ACCOUNTS_AT_ONCE)
        accounts = await self._accounts()

        async def one(account: Account) -> str | None:
            async with turns:
                result = await reconcile(self._resources, account)
            _runs.labels(result.outcome).inc()
            return account.organization if result.is_whole else None

        for organization in {*await all_of(map(one, accounts))} - {None}:
            await check_ledger(self._resources, str(organization))
        async with self._resources.pool.acquire() as connection, connection.transaction():
            await healing.tidy(connection)

    async def _accounts(self) -> list[Account]:
        async with self._resources.pool.acquire() as connection:
            return await reading.accounts(connection)

    def _listen(self, stopping: asyncio.Event) -> Callable[[], Awaitable[None]]:
        async def listen() -> None:
            connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
            try:
                await connection.add_listener("reconciliation_requested", self._requested)
                await healing.release_requests(connection)
                while not stopping.is_set():
                    # Cleared before looking: a request after the look wakes the next round.
                    self._wake.clear()
                    while (taken := await healing.take_request(connection)) is not None:
                        for result in await answer(self._resources, *taken):
                            _runs.labels(result.outcome).inc()
                    self._failing.discard("answer")
                    await wait(self._wake, POLL_S)
            finally:
                connection.terminate()

        return listen

    def _requested(self, *notification: Any) -> None:
        self._wake.set()
