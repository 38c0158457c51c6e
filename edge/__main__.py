"""`python -m edge`: serve until SIGTERM, drain, exit 0. A second signal, or 20 seconds, ends it.

With `AMPLY_EDGE_PROCESSES` it becomes the parent of so many (`edge/processes.py`).
"""

import asyncio
import gc
import os
import signal
import ssl
import sys
from typing import Final

import structlog
import uvloop
from aiohttp import web

from edge import logs, processes
from edge.app import build_app
from edge.connections import Runner
from edge.health import HEALTH
from edge.routes.health import HealthRoutes
from edge.settings import Settings, SettingsError, from_environment
from edge.tls import Certificate

DRAIN_S_MAX: Final = 20.0
_BACKLOG: Final = 1024
_log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Serve until a signal comes, then answer what was asked and close."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    app = build_app(settings)
    runner = Runner(app, settings)
    await runner.setup()
    certificate = Certificate(*settings.certificate) if settings.certificate else None
    site = web.TCPSite(
        *(runner, settings.host, settings.port),
        backlog=_BACKLOG,
        ssl_context=certificate.context if certificate else None,
        reuse_port=settings.processes > 1,
    )
    await site.start()
    management = await _manage(app, settings)
    watching = [asyncio.create_task(processes.watch_parent(stopping))]
    if certificate:
        watching.append(asyncio.create_task(certificate.watch()))
    # What was loaded stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    addresses = [list(address[:2]) for address in runner.addresses]
    _log.info("serving", addresses=addresses, process=os.getpid())
    await stopping.wait()
    for task in watching:
        task.cancel()
    _log.info("draining")
    loop.call_later(settings.bounds.drain_s + DRAIN_S_MAX, os._exit, 1)
    # Whoever sends requests here sees it first, and goes elsewhere, while all are answered.
    app[HEALTH].is_draining = True
    await asyncio.sleep(settings.bounds.drain_s)
    await runner.cleanup()
    if management is not None:
        await management.cleanup()
    _log.info("stopped")


async def _manage(app: web.Application, settings: Settings) -> web.AppRunner | None:
    """Health and figures of this process alone, on a port that no other shares."""
    if settings.management_port is None:
        return None
    routes = HealthRoutes(app[HEALTH], settings.environment)
    own = web.Application()
    for path, handler in routes.by_path().items():
        own.router.add_get(path, handler)
    runner = web.AppRunner(own, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.management_host, settings.management_port).start()
    return runner


def _run(settings: Settings) -> None:
    if settings.processes == 1 or processes.NUMBER in os.environ:
        uvloop.run(serve(settings))
        return
    with processes.hold(settings.host, settings.port) as held:
        port = int(held.getsockname()[1])
        uvloop.run(processes.run(settings.processes, port, settings.management_port))


def main() -> int:
    """Read the settings and serve; 2 when a setting is wrong, 1 when the port is taken."""
    logs.configure()
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        _run(settings)
    except ssl.SSLError as error:
        print(f"AMPLY_TLS_CERTIFICATE and AMPLY_TLS_KEY: {error.reason}.", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"The edge cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
