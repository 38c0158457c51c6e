"""PostgreSQL or SpiceDB away: 503, nothing opened, nothing lost, back by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest

from edge import authorization
from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


class Proxy:
    """A TCP proxy in front of an engine that can be cut and joined again."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def join(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxied(address: str) -> AsyncIterator[Proxy]:
    host, _, port = address.rpartition(":")
    proxy = Proxy(host, int(port))
    await proxy.join()
    try:
        yield proxy
    finally:
        await proxy.cut()


@pytest.fixture
async def postgres(stand: Stand) -> AsyncIterator[tuple[Proxy, str]]:
    parts = urlsplit(stand.settings.postgres)
    account, _, address = parts.netloc.rpartition("@")
    async with proxied(address) as proxy:
        moved = parts._replace(netloc=f"{account}@127.0.0.1:{proxy.port}")
        yield proxy, urlunsplit(moved)


async def is_accepted(edge: Served, organization: str, secret: str, key: str) -> bool:
    return (await edge.donate(gift(organization), secret, key)).status == 202


async def test_postgresql_goes_and_comes_back(stand: Stand, postgres: tuple[Proxy, str]) -> None:
    proxy, dsn = postgres
    registered = await stand.register()
    async with stand.serve(postgres=dsn) as edge:
        first = await edge.donate(gift(registered.id), registered.key.secret, "k")
        assert first.status == 202
        await proxy.cut()
        away = await edge.donate(gift(registered.id), registered.key.secret, "k2")
        assert (away.status, away.code) == (503, "unavailable")
        assert away.headers["Retry-After"]
        assert (await edge.get(first.headers["Location"], registered.key.secret)).status == 503
        assert (await edge.get("/livez")).status == 200
        ready = await edge.get("/readyz")
        assert (ready.status, ready.json["checks"]["postgresql"]) == (503, False)
        await proxy.join()
        await until(
            lambda: is_accepted(edge, registered.id, registered.key.secret, "k2"),
            "gifts are accepted again",
        )
        again = await edge.donate(gift(registered.id), registered.key.secret, "k")
        assert again.body == first.body

        async def is_ready() -> bool:
            return (await edge.get("/readyz")).status == 200

        await until(is_ready, "the edge is ready again")
    assert await stand.stored(registered.id) == (2, 2, 1)


async def test_what_changed_while_nobody_listened_is_not_served_from_memory(
    stand: Stand, postgres: tuple[Proxy, str]
) -> None:
    proxy, dsn = postgres
    registered = await stand.register()
    async with stand.serve(postgres=dsn) as edge:

        async def listens() -> bool:
            return bool((await edge.get("/readyz")).json["checks"]["notifications"])

        await until(listens, "the edge listens")
        assert await is_accepted(edge, registered.id, registered.key.secret, "k")
        await proxy.cut()
        await stand.fetch(
            "UPDATE edge.api_keys SET revoked_at = now() WHERE id = $1", registered.key.id
        )
        await proxy.join()

        async def answer() -> int:
            status = (await edge.donate(gift(registered.id), registered.key.secret)).status
            return status if status != 503 else 0

        assert await until(answer, "PostgreSQL is back") == 401


async def test_the_edge_starts_before_postgresql(stand: Stand, postgres: tuple[Proxy, str]) -> None:
    proxy, dsn = postgres
    await proxy.cut()
    registered = await stand.register()
    async with stand.serve(postgres=dsn) as edge:
        assert (await edge.get("/readyz")).status == 503
        await proxy.join()
        await until(
            lambda: is_accepted(edge, registered.id, registered.key.secret, "k"),
            "gifts are accepted",
        )


async def test_spicedb_goes(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every decision is past its two seconds at once.
    monkeypatch.setattr(authorization, "ALLOWED_S_MAX", 0.0)
    known, unknown = await stand.register(), await stand.register()
    rows = await stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", known.id)
    async with (
        proxied(stand.settings.spicedb) as proxy,
        stand.serve(spicedb=f"127.0.0.1:{proxy.port}") as edge,
    ):
        assert await is_accepted(edge, known.id, known.key.secret, "k1")
        await proxy.cut()
        # A decision of the last minute still lets gifts in, nothing else is opened.
        assert await is_accepted(edge, known.id, known.key.secret, "k2")
        refused = [
            await edge.donate(gift(unknown.id), unknown.key.secret),
            await edge.get(f"/v1/public/organizations/{rows[0]['slug']}"),
        ]
        for answer in refused:
            assert (answer.status, answer.code) == (503, "permissions_unavailable")
            assert answer.headers["Retry-After"]
        ready = await edge.get("/readyz")
        assert (ready.status, ready.json["checks"]["spicedb"]) == (503, False)
        await proxy.join()
        await until(
            lambda: is_accepted(edge, unknown.id, unknown.key.secret, "k"), "SpiceDB is back"
        )
    assert await stand.stored(unknown.id) == (1, 1, 1)


async def test_a_backlog_refuses_new_gifts_and_clears(stand: Stand) -> None:
    registered = await stand.register()
    async with stand.serve(outbox_age_s_max=1.0) as edge:

        async def is_refused() -> bool:
            answer = await edge.donate(gift(registered.id), registered.key.secret)
            return answer.status == 503 and (answer.code, answer.headers["Retry-After"]) == (
                "backlog",
                "10",
            )

        await until(is_refused, "the outbox is seen to be old")
        await stand.fetch("DELETE FROM messages.outbox")
        await until(
            lambda: is_accepted(edge, registered.id, registered.key.secret, "k"),
            "the backlog is seen to be gone",
        )
