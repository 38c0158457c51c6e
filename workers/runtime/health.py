"""Is this process alive, ready, and what has it counted: /livez, /readyz, /metrics on loopback.

Alive means that its loop looked for work lately: a process that hangs is started anew. Ready means
that what it needs answers; an engine that is away does not make a process less alive, since a
restart would not help.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

ALIVE_S_MAX: Final = 120.0
CHECK_S_MAX: Final = 2.0

Check = Callable[[], Awaitable[bool]]

_log = structlog.get_logger("runtime")


class Health:
    """`pulse` says that the process looked for work. `checks` must all hold to be ready.

    `refresh` is awaited before the metrics are read.
    """

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.refresh: list[Callable[[], Awaitable[None]]] = []
        self._pulse_at = time.monotonic()

    def pulse(self) -> None:
        """The process looked for work just now."""
        self._pulse_at = time.monotonic()

    def pulse_age_s(self) -> float:
        """Seconds since the last pulse."""
        return time.monotonic() - self._pulse_at

    async def failing(self) -> list[str]:
        """Names of the checks that do not hold now."""
        results = await asyncio.gather(*(_holds(check) for check in self.checks.values()))
        return [name for name, holds in zip(self.checks, results, strict=True) if not holds]


async def _holds(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await check()
    except Exception:
        return False  # What does not answer is not ready, whatever the reason.


async def serve(health: Health, port: int) -> Callable[[], Awaitable[None]]:
    """Start the server; the answer stops it. Imports late: starting to work comes first."""
    web: Any = await asyncio.to_thread(importlib.import_module, "aiohttp.web")
    prometheus: Any = importlib.import_module("prometheus_client")

    async def livez(request: Any) -> Any:
        age_s = health.pulse_age_s()
        text = f"last looked for work {age_s:.1f} s ago\n"
        return web.Response(text=text, status=200 if age_s < ALIVE_S_MAX else 503)

    async def readyz(request: Any) -> Any:
        failing = await health.failing()
        text = f"not ready: {', '.join(failing)}\n" if failing else "ready\n"
        return web.Response(text=text, status=503 if failing else 200)

    async def metrics(request: Any) -> Any:
        for refresh in health.refresh:
            try:
                await refresh()
            except Exception as error:
                _log.warning("metric_not_refreshed", error=type(error).__name__)
        body = prometheus.generate_latest()
        return web.Response(body=body, headers={"Content-Type": prometheus.CONTENT_TYPE_LATEST})

    application = web.Application()
    application.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    cleanup: Callable[[], Awaitable[None]] = runner.cleanup
    return cleanup
