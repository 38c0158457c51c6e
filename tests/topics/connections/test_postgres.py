"""PostgreSQL by `sslmode=verify-full`: who it is, is proved or there is no connection."""

import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from contracts.addresses import reach_of
from deploy.embedded.postgres import Postgres
from deploy.embedded.privileges import unprivileged_account
from deploy.ports import free_ports
from deploy.postgres import migrate
from edge.database.listener import Listener
from edge.database.pool import Database
from tests.certificates import Authority, Identity
from tests.edge.stand import until
from tests.topics.connections.tls_front import front


class WithTls(Postgres):
    """A server of the system's build; the embedded one has no TLS."""

    def __init__(self, folder: Path, program: Path) -> None:
        super().__init__(Path(), folder / "data", folder / "log", free_ports(1)[0], "hidden")
        self._binaries = program.resolve().parent
        self._account = unprivileged_account((folder / "data", program))

    async def start_certified(self, identity: Identity) -> None:
        """Start so that connections are taken by TLS only."""
        await self.initialise()
        for path, name in ((identity.certificate, "server.crt"), (identity.key, "server.key")):
            copy = self._folder / name
            shutil.copy(path, copy)
            copy.chmod(0o600)
            if self._account is not None:
                os.chown(copy, self._account.uid, self._account.gid)
        with (self._folder / "postgresql.conf").open("a") as settings:
            settings.write("ssl = on\n")
        rules = self._folder / "pg_hba.conf"
        rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        await self.start(lambda name, child: None)


@pytest.fixture(params=["the system's build", "TLS in front of the embedded one"])
async def dsn(
    request: pytest.FixtureRequest,
    postgres_database: Callable[[], str],
    authority: Authority,
    tmp_path: Path,
) -> AsyncIterator[str]:
    """A PostgreSQL that is certified as `127.0.0.1` and takes connections by TLS only."""
    identity = authority.issue("127.0.0.1")
    if request.param.startswith("TLS"):
        there = urlsplit(postgres_database())
        async with front(there.port or 0, identity, is_postgres=True) as port:
            user = there.netloc.rpartition("@")[0]
            yield there._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        return
    program = shutil.which("postgres")
    if program is None:
        pytest.skip("no PostgreSQL with TLS is installed here")
    server = WithTls(tmp_path, Path(program))
    await server.start_certified(identity)
    yield server.dsn
    assert server.child is not None
    await server.child.stop()


def verified(dsn: str, authority: Authority, host: str = "127.0.0.1") -> str:
    address = f"{dsn}?sslmode=verify-full&sslrootcert={authority.file}"
    assert reach_of(address, "postgres") == "encrypted", "what the table of environments asks for"
    return address.replace("127.0.0.1", host)


async def test_the_server_that_our_authority_vouches_for_is_talked_to_by_tls(
    dsn: str, authority: Authority
) -> None:
    connection: Any = await asyncpg.connect(verified(dsn, authority))
    try:
        assert await connection.fetchval("SELECT 1") == 1
        assert connection._transport.get_extra_info("ssl_object").version() == "TLSv1.3"
    finally:
        await connection.close()


async def test_a_server_of_another_authority_is_refused(
    dsn: str, other_authority: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        await asyncpg.connect(verified(dsn, other_authority))


async def test_a_server_under_another_name_is_refused(dsn: str, authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'localhost'"):
        await asyncpg.connect(verified(dsn, authority, host="localhost"))


async def test_nothing_is_said_in_clear(dsn: str) -> None:
    closed = asyncpg.ConnectionDoesNotExistError
    refused = (asyncpg.InvalidAuthorizationSpecificationError, closed)
    with pytest.raises(refused):
        await asyncpg.connect(f"{dsn}?sslmode=disable")


async def test_pools_notifications_and_tools_verify_the_server_too(
    dsn: str, authority: Authority, other_authority: Authority
) -> None:
    heard: list[str] = []
    for signer, is_ours in ((authority, True), (other_authority, False)):
        address = verified(dsn, signer)
        database = Database(address)
        await database.open()
        gaps: list[bool] = []
        listener = Listener(address, {"news": heard.append}, on_gap=gaps.append)
        listener.start()
        try:
            assert await database.ping() is is_ours

            async def looked(gaps: list[bool] = gaps) -> bool:
                return bool(gaps)

            await until(looked, "the listener connected, or was refused")
            assert gaps[0] is is_ours
            if is_ours:
                async with database.connection() as connection:
                    await connection.execute("NOTIFY news, 'it came'")

                async def came() -> bool:
                    return heard == ["it came"]

                await until(came, "the notification came")
        finally:
            await listener.close()
            await database.close()
    assert await migrate.migrate(verified(dsn, authority)) > 0
    with pytest.raises(ssl.SSLCertVerificationError):
        await migrate.migrate(verified(dsn, other_authority))
