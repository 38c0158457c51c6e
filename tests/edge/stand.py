"""A real edge on real engines: organizations with their permissions, a server on a socket."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
from aiohttp import web

from contracts.permissions import PermissionsRequested, RelationshipChange
from deploy.embedded import Addresses
from edge.app import build_app
from edge.connections import Runner
from edge.organizations.service import Registered, register_organization
from edge.settings import Settings
from tests.databases import prepare, role_dsn
from workers.gateways.spicedb_gateway import PermissionsGateway, open_spicedb

ORIGIN = "amply.test/log/0"
WEBHOOK_SECRETS = ("whsec_the_old_one_of_two", "whsec_the_new_one_of_two")
ACCOUNT_SECRETS = ("whsec_of_our_account_old", "whsec_of_our_account_new")
SCHEMA = Path(__file__).parents[2] / "deploy" / "spicedb" / "schema.zed"


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class Served:
    """A running edge and a client of it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def ask(self, method: str, path: str, **how: Any) -> Answer:
        async with self.session.request(method, self.url + path, **how) as response:
            return Answer(response.status, response.headers, await response.read())

    async def donate(
        self,
        body: object,
        secret: str,
        key: str | None = None,
        path: str = "/v1/donations",
        **headers: str,
    ) -> Answer:
        """POST a donation. `body` bytes go as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask(
            "POST",
            path,
            data=data,
            headers={
                "Authorization": f"Bearer {secret}",
                "Content-Type": "application/json",
                "Idempotency-Key": key or secrets.token_hex(8),
                **named,
            },
        )

    async def get(self, path: str, secret: str | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if secret is not None:
            named["Authorization"] = f"Bearer {secret}"
        return await self.ask("GET", path, headers=named)


class Stand:
    """One migrated database, one SpiceDB, one folder of public files."""

    def __init__(self, superuser_dsn: str, engines: Addresses, public: Path) -> None:
        self.superuser_dsn = superuser_dsn
        self.engines = engines
        self.settings = Settings(
            postgres=role_dsn(superuser_dsn, "edge"),
            spicedb=engines.spicedb_endpoint,
            spicedb_token=engines.spicedb_token,
            master_key=bytes(range(32)),
            stripe_account_secrets=ACCOUNT_SECRETS,
            stripe_connect_secrets=WEBHOOK_SECRETS,
            environment="test",
            public=public,
            log_origin=ORIGIN,
            url="http://edge.test",
            outbox_age_s_max=1e9,  # No relay runs here.
        )

    async def prepare(self) -> None:
        await prepare(self.superuser_dsn)
        async with spicedb(self.engines) as gateway:
            await gateway.write_schema(SCHEMA.read_text())

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    @asynccontextmanager
    async def edge_connection(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.settings.postgres)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def role_connection(self, role: str) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(role_dsn(self.superuser_dsn, role))
        try:
            yield connection
        finally:
            await connection.close()

    async def register(self, *, with_permissions: bool = True, **given: Any) -> Registered:
        """A fresh organization, whose permissions SpiceDB knows already.

        It may take charges on a Stripe account, unless `stripe_account` is None.
        """
        given = {"slug": f"o{secrets.token_hex(6)}", "name": "Harbour Lights", **given}
        account = given.pop("stripe_account", f"acct_{secrets.token_hex(8)}")
        async with self.edge_connection() as connection:
            registered = await register_organization(
                connection,
                master_key=self.settings.master_key,
                environment=given.pop("environment", "test"),
                origin=ORIGIN,
                **given,
            )
        if account is not None:
            await self.connect(registered.id, account)
        if with_permissions:
            await self.apply_permissions(registered.id)
        return registered

    async def connect(self, organization: str, account: str, stage: str = "current") -> None:
        """What the accounts worker does when an account may take charges."""
        await self.fetch(
            "INSERT INTO accounts.accounts (account, organization, stage, charges_enabled,"
            " payouts_enabled) VALUES ($1, $2, $3, true, true)",
            account,
            organization,
            stage,
        )

    async def apply_permissions(self, organization: str) -> None:
        """What the permissions worker does with the messages in the outbox."""
        for message in await self.messages(organization, "permissions.requested.v1"):
            body = PermissionsRequested.model_validate_json(message["value"])
            await self.change_permissions(body.changes)

    async def change_permissions(self, changes: tuple[RelationshipChange, ...]) -> None:
        async with spicedb(self.engines) as gateway:
            await gateway.write(changes)

    async def hold(self, organization: str, key: str) -> "Held":
        """Make whoever inserts a request under this Idempotency-Key wait until `release`."""
        connection = await asyncpg.connect(self.superuser_dsn)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO edge.requests VALUES ($1, 'test', 'POST /v1/donations', $2,"
            " sha256('')::bytea, 'don', 'key', '')",
            organization,
            key,
        )
        return Held(connection, transaction)

    async def blocked(self) -> None:
        """Wait until a session of this database waits for another one's lock."""

        async def waits() -> bool:
            rows = await self.fetch(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'"
            )
            return bool(rows[0]["n"])

        await until(waits, "a request waits in the database")

    async def messages(self, organization: str, topic: str) -> list[Any]:
        return await self.fetch(
            "SELECT value, headers, key, partition FROM messages.outbox"
            " WHERE topic = $1 AND headers::jsonb @> jsonb_build_array(jsonb_build_array("
            " 'ce_organization', $2::text)) ORDER BY position",
            topic,
            organization,
        )

    async def stored(self, organization: str) -> tuple[int, int, int]:
        """Requests, donation messages, donor profiles of an organization."""
        requests = await self.fetch(
            "SELECT count(*) AS n FROM edge.requests WHERE organization = $1", organization
        )
        profiles = await self.fetch(
            "SELECT count(*) AS n FROM edge.donor_profiles WHERE organization = $1", organization
        )
        messages = await self.messages(organization, "donations.requested.v1")
        return requests[0]["n"], len(messages), profiles[0]["n"]

    @asynccontextmanager
    async def serve(
        self, *, handler_cancellation: bool = False, **changes: Any
    ) -> AsyncIterator[Served]:
        """A running edge; `changes` are settings."""
        settings = replace(self.settings, **changes)
        runner = Runner(build_app(settings), settings, handler_cancellation=handler_cancellation)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as session:
                yield Served(f"http://127.0.0.1:{port}", session)
        finally:
            await runner.cleanup()


class Held:
    """An uncommitted row that others wait for."""

    def __init__(self, connection: Any, transaction: Any) -> None:
        self._connection = connection
        self._transaction = transaction

    async def release(self) -> None:
        """The row is gone; those who waited go on."""
        await self._transaction.rollback()
        await self._connection.close()


@asynccontextmanager
async def spicedb(engines: Addresses) -> AsyncIterator[PermissionsGateway]:
    settings = {
        "AMPLY_SPICEDB": engines.spicedb_endpoint,
        "AMPLY_SPICEDB_TOKEN": engines.spicedb_token,
    }
    async with open_spicedb(settings) as gateway:
        yield gateway


def gift(organization: str, **changes: Any) -> dict[str, Any]:
    """A valid body."""
    body: dict[str, Any] = {
        "organization": organization,
        "amount_minor": 2500,
        "currency": "EUR",
        "payment_method": "pm_card_visa",
        "donor": {"name": "Ada Example", "email": "Ada@Example.org", "display": "public"},
    }
    body |= changes
    return {name: value for name, value in body.items() if value is not ...}


async def until(condition: Any, what: str, timeout_s: float = 20.0) -> Any:
    """The first true answer of an async condition."""
    deadline = time.monotonic() + timeout_s
    while not (answer := await condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.02)
    return answer
