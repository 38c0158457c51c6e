"""The whole platform on this machine: engines, database, topics, sandbox and every process.

`start` may be called on an empty folder or on yesterday's. What it did before is not done again.
"""

import asyncio
import json
import os
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg

from deploy import demonstration, registration
from deploy.deployment import (
    BEHIND,
    DATABASE,
    ON_DEMAND,
    OPTIONAL,
    ORIGIN,
    PORT_DEFAULT,
    WITH_HEALTH_PORT,
    DataDirectory,
    commands,
    database_dsn,
    role_dsn,
    wanted,
    write_private,
)
from deploy.embedded import Addresses, Engines, Event, GivenAddresses
from deploy.erasure import apply_journal
from deploy.login.running import DemonstrationLogin
from deploy.operations import store
from deploy.ports import free_ports, is_free
from deploy.postgres.migrate import ROLES, allow_login, migrate
from deploy.supervisor import Command, Supervisor
from topics.provision import provision
from workers.gateways.spicedb_gateway import open_spicedb
from workers.permissions.worker import fill_again
from workers.retention.journal import Journal

SCHEMA: Final = Path(__file__).parent / "spicedb" / "schema.zed"
READY_TIMEOUT_S: Final = 180.0
_POLL_S: Final = 0.05


class NotReadyError(RuntimeError):
    """A process did not become ready; the text names it and its log."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that `start` did, for whoever watches: what, and how many seconds it took."""

    what: str
    seconds: float
    detail: str = ""


class Platform:
    """Start, use, stop. Port 0 means any free one; `overrides` adds settings to processes."""

    def __init__(
        self,
        path: Path,
        *,
        port: int | None = None,
        given: GivenAddresses | None = None,
        report: Callable[[Step | Event], None] = lambda step: None,
        complain: Callable[[str, str], None] = lambda name, text: None,
        overrides: Mapping[str, Mapping[str, str]] | None = None,
        with_login: bool = False,
    ) -> None:
        self.data = DataDirectory(path.absolute())
        self.settings: dict[str, str] = {}
        self.supervisor = Supervisor(self.data.logs, complain)
        self.engines = Engines(self.data.path, given=given or GivenAddresses(), progress=report)
        self.login = DemonstrationLogin(self.data, self.supervisor, report) if with_login else None
        self._port = port
        self._report = report
        self._complain = complain
        self._overrides = overrides or {}
        self._dsn_of: dict[str, str] = {}
        self.superuser_dsn = ""

    async def start(self) -> None:
        """Bring everything up; returns when every process is ready."""
        self.data.create()
        await self.supervisor.prepare()
        addresses = await self.engines.start()
        self.settings = self._settings(addresses)
        await self._timed("database", self._prepare_database(addresses))
        await asyncio.gather(
            self._timed("topics", self._provision()),
            self._timed("permissions", self._prepare_permissions()),
            self._timed("Stripe sandbox and mail sink", self._start_outside_world()),
        )
        await self._timed("demonstration organization", self._register())
        if self.login is not None:
            await self._timed("people", self.login.start(self.settings, self._dsn_of["edge"]))
        self._write_environment()
        await self._timed("platform", self._start_processes())

    async def stop(self) -> None:
        """Stop processes, then engines."""
        await self.supervisor.stop()
        await self.engines.stop()

    async def _timed(self, what: str, work: Awaitable[str | None]) -> None:
        started = time.monotonic()
        detail = await work
        self._report(Step(what, time.monotonic() - started, detail or ""))

    def _settings(self, addresses: Addresses) -> dict[str, str]:
        ports = free_ports(len(WITH_HEALTH_PORT) + 3)
        health = {f"AMPLY_METRICS_PORT_{name}": str(ports.pop()) for name in WITH_HEALTH_PORT}
        memory = self.data.recall("ports")
        edge_port = int(memory.get("edge", PORT_DEFAULT)) if self._port is None else self._port
        if edge_port == 0 or (self._port is None and not is_free(edge_port)):
            edge_port = ports.pop()
        chosen = {"edge": str(edge_port)}
        for name in ("sandbox", "mail_sink"):
            known = int(memory.get(name, 0))
            chosen[name] = str(known if known and is_free(known) else ports.pop())
        self.data.remember("ports", chosen)
        return {
            "AMPLY_ENVIRONMENT": "test",
            "AMPLY_MODE": "development",
            "AMPLY_KAFKA": addresses.kafka_bootstrap,
            "AMPLY_LOG_KEY": str(self.data.log_key_file()),
            "AMPLY_LOG_ORIGIN": ORIGIN,
            "AMPLY_LOG_PASSPHRASE": str(self.data.log_passphrase_file()),
            "AMPLY_MAIL_FROM": "receipts@amply.localhost",
            "AMPLY_MASTER_KEY": str(self.data.key_file("master.key")),
            "AMPLY_PORT": chosen["edge"],
            "AMPLY_PUBLIC": str(self.data.public),
            "AMPLY_AUDIT_ANCHORS": str(self.data.audit_anchors),
            "AMPLY_ERASURE_JOURNAL": str(self.data.erasure_journal),
            "AMPLY_SMTP": f"127.0.0.1:{chosen['mail_sink']}",
            "AMPLY_SPICEDB": addresses.spicedb_endpoint,
            "AMPLY_SPICEDB_TOKEN": addresses.spicedb_token,
            "AMPLY_STRIPE": f"http://127.0.0.1:{chosen['sandbox']}",
            **self.data.stripe_keys(),
            "AMPLY_URL": f"http://127.0.0.1:{chosen['edge']}",
            **health,
            **{
                name: str(Path(os.environ[name]).absolute())
                for name in ON_DEMAND.values()
                if os.environ.get(name)
            },
            **{name: os.environ[name] for name in OPTIONAL if os.environ.get(name)},
        }

    async def _prepare_database(self, addresses: Addresses) -> str:
        secret = self.data.key("postgres-roles.key")
        connection = await asyncpg.connect(addresses.postgres_dsn)
        try:
            await store.create_database(connection, DATABASE)
        finally:
            await connection.close()
        self.superuser_dsn = database_dsn(addresses.postgres_dsn)
        count = await migrate(self.superuser_dsn)
        await allow_login(self.superuser_dsn, secret)
        self._dsn_of = {role: role_dsn(addresses.postgres_dsn, secret, role) for role in ROLES}
        again = await self._forget_again()
        migrated = f"{count} migrations applied" if count else "up to date"
        return f"{migrated}, {again} donors forgotten again" if again else migrated

    async def _forget_again(self) -> int:
        """Whom the journal names, before anything serves: this may be a restored backup."""
        connection = await asyncpg.connect(self._dsn_of["operations"])
        try:
            return await apply_journal(connection, Journal(self.data.erasure_journal))
        finally:
            await connection.close()

    async def _provision(self) -> str:
        result = await provision(self.settings["AMPLY_KAFKA"])
        for drift in result.drifts:
            self._complain(drift.topic, f"has {drift.setting}={drift.found}, wanted {drift.wanted}")
        return f"{len(result.created)} created" if result.created else "up to date"

    async def _prepare_permissions(self) -> str:
        """The schema, and every relationship again: a SpiceDB without memory starts empty."""
        async with open_spicedb(self.settings) as spicedb:
            await spicedb.write_schema(SCHEMA.read_text())
            connection = await asyncpg.connect(self._dsn_of["permissions"])
            try:
                async with connection.transaction():
                    count = await fill_again(connection, spicedb)
            finally:
                await connection.close()
        return f"{count} relationships"

    async def _start_outside_world(self) -> str:
        await self.supervisor.start(self.command_of("mail_sink"))
        await self.supervisor.start(self.command_of("sandbox"))
        await self._wait_for("sandbox", f"{self.settings['AMPLY_STRIPE']}/_sandbox/health")
        for endpoint in demonstration.ENDPOINTS:
            known = self.data.recall(endpoint.name)
            webhook = await demonstration.register_webhook(self.settings, endpoint, known)
            self.data.remember(endpoint.name, webhook)
            self.settings[endpoint.setting] = webhook["secret"]
        return self.settings["AMPLY_STRIPE"]

    async def _register(self) -> str:
        organization = self.data.recall("organization")
        if not organization:
            organization = await registration.register(
                self._dsn_of["edge"], self.data.key("master.key"), ORIGIN
            )
            self.data.remember("organization", organization)
        self.settings["AMPLY_API_KEY"] = organization["api_key"]
        self.settings["AMPLY_ORGANIZATION"] = organization["slug"]
        return organization["slug"]

    def _write_environment(self) -> None:
        shown = {
            name: self.settings[name]
            for name in (
                *("AMPLY_ENVIRONMENT", "AMPLY_MODE", "AMPLY_URL"),
                *("AMPLY_API_KEY", "AMPLY_ORGANIZATION"),
                *("AMPLY_KAFKA", "AMPLY_SPICEDB", "AMPLY_STRIPE"),
            )
        }
        shown["AMPLY_POSTGRES"] = self._dsn_of["operations"]
        addresses = {name: self.health_url(name) for name in wanted(self.settings)}
        (self.data.path / "processes.json").write_text(json.dumps(addresses, indent=1) + "\n")
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(shown.items())]
        write_private(self.data.environment_file, "".join(lines))

    def command_of(self, name: str) -> Command:
        """How the process `name` is run, with this deployment's settings."""
        if name == "sandbox":
            arguments = ("--port", self.settings["AMPLY_STRIPE"].rsplit(":", 1)[1])
            folder = ("--data", str(self.data.path / "sandbox"))
            environment = {"AMPLY_STRIPE_KEY": self.settings["AMPLY_STRIPE_KEY"]}
            command = Command(name, ("deploy.sandbox", *arguments, *folder), environment, BEHIND)
        elif name == "mail_sink":
            arguments = ("--port", self.settings["AMPLY_SMTP"].rsplit(":", 1)[1])
            folder = ("--directory", str(self.data.path / "mail"))
            command = Command(name, ("deploy.mail_sink", *arguments, *folder), {})
        else:
            known = {one.name: one for one in commands(self.settings, self._dsn_of)}
            command = known[name]
        override = self._overrides.get(name, {})
        return replace(command, environment={**command.environment, **override})

    async def _start_processes(self) -> str:
        for name in wanted(self.settings):
            await self.supervisor.start(self.command_of(name))
        await asyncio.gather(*(self.ready(name) for name in wanted(self.settings)))
        await self._connect_organization()
        return self.settings["AMPLY_URL"]

    async def _connect_organization(self) -> None:
        """A new one is refused until SpiceDB was told of it; then it gets an account at Stripe."""
        organization = self.data.recall("organization")
        deadline = time.monotonic() + READY_TIMEOUT_S
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            while not await store.permissions_written(connection, organization["id"]):
                if time.monotonic() > deadline:
                    log = self.supervisor.log_of("permissions")
                    raise NotReadyError(f"the organization's permissions are not there; see {log}")
                await asyncio.sleep(_POLL_S)
            is_connected = await store.may_charge(connection, organization["id"])
        finally:
            await connection.close()
        if not is_connected:
            await demonstration.connect_account(self.settings, organization["slug"])

    async def ready(self, name: str) -> None:
        """Wait until the process says that it is ready; NotReadyError after three minutes."""
        await self._wait_for(name, self.health_url(name))

    def health_url(self, name: str) -> str:
        """Where the process says whether it is ready."""
        if name == "edge":
            return f"{self.settings['AMPLY_URL']}/readyz"
        return f"http://127.0.0.1:{self.settings[f'AMPLY_METRICS_PORT_{name}']}/readyz"

    async def _wait_for(self, name: str, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() < deadline:
                try:
                    async with session.get(url) as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass  # Not listening yet; the deadline below speaks up.
                await asyncio.sleep(_POLL_S)
        log = self.supervisor.log_of(name)
        raise NotReadyError(f"{name} was not ready within {READY_TIMEOUT_S:.0f} s; see {log}")
