"""Runs the demonstration's provider beside a platform, and gives its people their roles there."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final

import aiohttp

from deploy.deployment import BEHIND, DataDirectory, write_private
from deploy.embedded import Event
from deploy.embedded.cache import Cache, default_cache
from deploy.embedded.errors import EngineError
from deploy.login import demonstration
from deploy.login.installation import ensure_provider
from deploy.login.seating import seat_people
from deploy.ports import free_ports, is_free
from deploy.supervisor import Command, Supervisor
from edge.database.pool import Database

_PROCESS: Final = "login"
_KEY: Final = "login.key"
_READY_S_MAX: Final = 180.0
_POLL_S: Final = 0.05


class DemonstrationLogin:
    """One provider, with the same people and the same address at each start."""

    def __init__(
        self, data: DataDirectory, supervisor: Supervisor, report: Callable[[Event], None]
    ) -> None:
        self._data = data
        self._supervisor = supervisor
        self._cache = Cache(default_cache(), report)

    async def start(self, settings: dict[str, str], dsn: str) -> str:
        """Run it, and make its people known; its address. `dsn` is of the edge's role.

        What the edge needs is added to the platform's `settings`. EngineError when it cannot run.
        """
        installation = await ensure_provider(self._cache)
        port, key = self._port(), self._data.key(_KEY)
        told = demonstration.provider_settings(key, port=port, url=settings["AMPLY_URL"])
        file = self._data.keys / "login-settings.json"
        write_private(file, json.dumps(told))
        arguments = (str(installation.node), str(installation.modules), str(file))
        await self._supervisor.start(Command(_PROCESS, ("deploy.login", *arguments), {}, BEHIND))
        issuer = demonstration.issuer_of(port)
        await self._ready(issuer)
        settings |= demonstration.edge_settings(key, port)
        await self._register(dsn, issuer)
        return issuer

    async def _register(self, dsn: str, issuer: str) -> None:
        organization = self._data.recall("organization")["id"]
        database = Database(dsn)
        await database.open()
        try:
            await seat_people(database, self._data.key("master.key"), issuer, organization)
        finally:
            await database.close()

    def people(self) -> list[str]:
        """A line for each: who, password, code."""
        key = self._data.key(_KEY)
        return [
            f"{role.username:<8} password {demonstration.password_of(key, role.username)}"
            f"   second factor {demonstration.code_of(key, role.username)}   ({role.name})"
            for role in demonstration.ROLES
        ]

    def _port(self) -> int:
        known = int(self._data.recall(_PROCESS).get("port", 0))
        port = known if known and is_free(known) else free_ports(1)[0]
        self._data.remember(_PROCESS, {"port": str(port)})
        return port

    async def _ready(self, issuer: str) -> None:
        deadline = time.monotonic() + _READY_S_MAX
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() < deadline:
                try:
                    async with session.get(f"{issuer}/jwks") as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass  # Not listening yet; the deadline speaks up.
                await asyncio.sleep(_POLL_S)
        log = self._supervisor.log_of(_PROCESS)
        raise EngineError(f"the provider to sign in at was not ready in time; see {log}")
