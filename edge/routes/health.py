"""`/livez /readyz /metrics /version`: for those who run the edge."""

import platform
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from edge.health import Health, platform_version
from edge.http import json_response

Handler = Callable[[web.Request], Awaitable[web.Response]]


class HealthRoutes:
    """Handlers without a key; keep them off the internet at the ingress."""

    def __init__(self, health: Health, environment: str) -> None:
        self._health = health
        self._environment = environment

    def by_path(self) -> dict[str, Handler]:
        """Every handler by its path."""
        return {
            "/livez": self.live,
            "/readyz": self.ready,
            "/metrics": self.metrics,
            "/version": self.version,
        }

    async def live(self, request: web.Request) -> web.Response:
        """200 while the loop turns; no engine is asked, or a lost one would restart us."""
        return json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """200 when a request would be served, 503 with what is missing otherwise."""
        checks = await self._health.readiness()
        is_ready = all(checks.values())
        body = {"status": "ready" if is_ready else "not_ready", "checks": checks}
        return json_response(body, status=200 if is_ready else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """The figures of this process, in Prometheus's text format."""
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def version(self, request: web.Request) -> web.Response:
        """What runs here."""
        return json_response(
            {
                "version": platform_version(),
                "environment": self._environment,
                "python": platform.python_version(),
            }
        )
