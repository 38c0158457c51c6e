"""`python -m edge`: serve until SIGTERM, drain, exit 0. A second signal, or 20 seconds, ends it."""

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

from edge import logs
from edge.app import build_app
from edge.connections import Runner
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
    runner = Runner(build_app(settings), settings)
    await runner.setup()
    certificate = Certificate(*settings.certificate) if settings.certificate else None
    context = certificate.context if certificate else None
    site = web.TCPSite(runner, settings.host, settings.port, backlog=_BACKLOG, ssl_context=context)
    await site.start()
    watching = asyncio.create_task(certificate.watch()) if certificate else None
    # What was loaded stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    _log.info("serving", addresses=[list(address[:2]) for address in runner.addresses])
    await stopping.wait()
    if watching is not None:
        watching.cancel()
    _log.info("draining")
    loop.call_later(DRAIN_S_MAX, os._exit, 1)
    await runner.cleanup()
    _log.info("stopped")


def main() -> int:
    """Read the settings and serve; 2 when a setting is wrong, 1 when the port is taken."""
    logs.configure()
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        uvloop.run(serve(settings))
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
