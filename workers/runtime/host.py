"""Run one worker: its database pool, its resources, its subscriber, its parked messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from prometheus_client import Gauge

from topics.sessions import DATABASE_ERRORS, leave_as_is
from workers.runtime import limits as limits_module
from workers.runtime.batch import Batches
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.limits import Limits
from workers.runtime.parked import Parked
from workers.runtime.polls import Polls
from workers.runtime.process import running
from workers.runtime.subscribe import start, subscribe
from workers.runtime.worker import Worker
from workers.settings import Settings

FETCH_AGE_S_MAX: Final = 15.0
FAILING_S_MAX: Final = 20.0
_CONNECTIONS_MAX: Final = 8

_log = structlog.get_logger("runtime")
_lag = Gauge("worker_consumer_lag", "Records of the assigned partitions that were not read yet")
_poll_age = Gauge("worker_last_poll_age_seconds", "Seconds since the consumer asked for records")


class ConsumerBrokenError(RuntimeError):
    """The consumer does not recover: the process ends so that it is started anew."""


async def run(worker: Worker, settings: Settings) -> None:
    """Work until told to stop; ConsumerBrokenError when that is no longer possible."""
    health = Health()
    polls = Polls(worker.gather_s)
    limits = limits_module.load(settings.variables)
    async with AsyncExitStack() as stack:
        stopping = await stack.enter_async_context(running(settings, health))
        pool = await stack.enter_async_context(open_pool(settings.postgres, worker.name))
        resources = None
        if worker.resources is not None:
            resources = await stack.enter_async_context(worker.resources(settings.variables))
        batches = Batches(worker, pool, resources, limits)
        _watch(health, pool, polls)
        broker = await _start(worker, settings, limits, batches, polls, stopping)
        if broker is None:
            return
        _log.info("working", worker=worker.name, instance=settings.instance)
        parked = asyncio.create_task(Parked(worker, pool, batches.calls, limits).run(stopping))
        stopped = asyncio.create_task(stopping.wait())
        broken = asyncio.create_task(polls.until_broken(failing_s_max=FAILING_S_MAX))
        await asyncio.wait({parked, stopped, broken}, return_when=asyncio.FIRST_COMPLETED)
        # The batch under way ends, its offsets are committed, only then the rest is closed.
        await broker.stop()
        stopping.set()
        await parked
        if broken.done():
            raise ConsumerBrokenError("every poll failed for a while, a new process is needed")
        broken.cancel()


@asynccontextmanager
async def open_pool(dsn: str, name: str) -> AsyncIterator[Any]:
    """A pool that opens connections when they are needed, so that it also starts without server."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=_CONNECTIONS_MAX,
        timeout=5,
        command_timeout=30,
        max_inactive_connection_lifetime=60,
        server_settings={
            "application_name": f"amply-{name}",
            "statement_timeout": "30s",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "60s",
        },
        reset=leave_as_is,
    )
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), 5)
        except DATABASE_ERRORS:
            pool.terminate()


async def _start(
    worker: Worker,
    settings: Settings,
    limits: Limits,
    batches: Batches,
    polls: Polls,
    stopping: asyncio.Event,
) -> KafkaBroker | None:
    """A started broker, tried again while Kafka is away; None when told to stop before."""
    waits = delays(0.2, 5.0)
    while not stopping.is_set():
        broker = subscribe(
            worker,
            settings.kafka,
            instance=settings.instance,
            limits=limits,
            settle=batches.settle,
            drain=lambda: batches.drain(limits.drain_s_max),
            resume=batches.resume,
        )
        try:
            await start(broker, polls)
        except (KafkaError, OSError) as error:
            _log.warning("kafka_away", error=type(error).__name__)
            await broker.stop()
            await wait(stopping, next(waits))
        else:
            return broker
    return None


def _watch(health: Health, pool: Any, polls: Polls) -> None:
    async def database() -> bool:
        async with pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT 1"))

    async def assignment() -> bool:
        return bool(polls.assigned())

    async def kafka() -> bool:
        age_s = polls.fetch_age_s()
        return age_s is not None and age_s < FETCH_AGE_S_MAX

    async def measure() -> None:
        _poll_age.set(polls.age_s())
        _lag.set(await polls.lag())

    health.pulse_age_s = polls.age_s  # type: ignore[method-assign] # its polls are its pulse
    health.checks |= {"database": database, "assignment": assignment, "kafka": kafka}
    health.refresh.append(measure)
