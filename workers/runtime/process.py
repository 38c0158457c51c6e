"""The life of a process: told to stop by SIGTERM or SIGINT, it ends what it is at and exits 0.

A second signal, or 20 s, ends it without waiting. Its health is served meanwhile.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from workers.runtime.health import Health, serve
from workers.settings import Settings

STOP_S_MAX: Final = 20.0
#: New objects between two collections: batches make many, without cycles; looking for some took a
#: third of the ledger writer's decoding time.
GARBAGE_OBJECTS: Final = 50_000

_log = structlog.get_logger("runtime")


@asynccontextmanager
async def running(settings: Settings, health: Health) -> AsyncIterator[asyncio.Event]:
    """The event that is set when this process shall stop; leave the block when it is."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            _exit(1, "stopped_at_once")
        stopping.set()
        _log.info("stopping")
        loop.call_later(STOP_S_MAX, _exit, 1, "stopped_too_late")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    server = asyncio.create_task(_serve(health, settings.metrics_port))
    # What was imported stays: looking through it again and again costs a few per cent.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)
    try:
        yield stopping
    finally:
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server


async def _serve(health: Health, port: int | None) -> None:
    if port is None:
        return
    try:
        cleanup = await serve(health, port)
    except OSError as error:
        _log.error("health_port_taken", port=port, error=type(error).__name__)
        _exit(1, "no_health_port")
    try:
        await asyncio.Event().wait()
    finally:
        await cleanup()


def _exit(status: int, event: str) -> None:
    _log.error(event)
    os._exit(status)
