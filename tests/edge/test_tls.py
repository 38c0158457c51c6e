"""TLS at the edge: in this process with a certificate that is renewed, or by hops it trusts."""

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edge.app import build_app
from edge.connections import Runner
from edge.limits.addresses import read_networks
from edge.limits.rules import Limits
from edge.tls import Certificate
from tests.certificates import Authority, Identity
from tests.edge.stand import Stand

PATH = "/v1/public/organizations/nobody-knows"


def install(identity: Identity, folder: Path) -> tuple[Path, Path]:
    """Renew as tools do: each file whole, by a rename."""
    places = folder / "tls.pem", folder / "tls.key"
    for path, place in zip((identity.certificate, identity.key), places, strict=True):
        shutil.copy(path, folder / "new")
        (folder / "new").rename(place)
    return places


@asynccontextmanager
async def listening(stand: Stand, certificate: Certificate) -> AsyncIterator[int]:
    settings = replace(stand.settings, requires_https=True)
    runner = Runner(build_app(settings), settings)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def client(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)


async def shake(port: int, context: ssl.SSLContext, host: str | None = "edge.test") -> str:
    """The version of TLS, after a handshake of its own."""
    if host is None:
        context.check_hostname = False
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=host or ""
    )
    try:
        version: str = writer.get_extra_info("ssl_object").version()
        return version
    finally:
        writer.close()


async def test_requests_come_by_tls_1_3_and_by_nothing_older(stand: Stand, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    certificate = Certificate(*install(authority.issue("edge.test"), tmp_path))
    async with listening(stand, certificate) as port:
        connector = aiohttp.TCPConnector(ssl=client(authority))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"https://127.0.0.1:{port}{PATH}"
            async with session.get(url, server_hostname="edge.test") as response:
                assert response.status == 404
                assert response.headers["Strict-Transport-Security"].startswith("max-age=")
        assert await shake(port, client(authority)) == "TLSv1.3"
        older = client(authority)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake(port, older)


async def test_a_renewed_certificate_is_used_without_a_restart(
    stand: Stand, tmp_path: Path
) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    certificate = Certificate(*install(old.issue("edge.test"), tmp_path))
    async with listening(stand, certificate) as port:
        assert await shake(port, client(old)) == "TLSv1.3"
        assert certificate.refresh() is False, "nothing was renewed"
        install(new.issue("edge.test"), tmp_path)
        assert certificate.refresh() is True
        assert await shake(port, client(new)) == "TLSv1.3"
        assert await shake(port, client(new), host=None) == "TLSv1.3", "clients without a name too"
        with pytest.raises(ssl.SSLCertVerificationError):
            await shake(port, client(old))


async def test_half_a_renewal_leaves_the_old_certificate_in_use(
    stand: Stand, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ours")
    _, key = install(authority.issue("edge.test"), tmp_path)
    certificate = Certificate(tmp_path / "tls.pem", key)
    newer = authority.issue("edge.test")
    async with listening(stand, certificate) as port:
        shutil.copy(newer.certificate, tmp_path / "tls.pem")
        assert certificate.refresh() is False, "the key does not fit yet"
        assert await shake(port, client(authority)) == "TLSv1.3"
        key.unlink()
        assert certificate.refresh() is False
        shutil.copy(newer.key, key)
        assert certificate.refresh() is True, "it is looked at again until it fits"
        assert await shake(port, client(authority)) == "TLSv1.3"


async def test_behind_trusted_hops_a_request_in_clear_is_refused(stand: Stand) -> None:
    trusting = Limits(trusted_proxies=read_networks("127.0.0.1"))
    async with stand.serve(requires_https=True, limits=trusting) as edge:
        for told in ({}, {"X-Forwarded-Proto": "http"}, {"Forwarded": "proto=https"}):
            answer = await edge.get(PATH, **told)
            assert (answer.status, answer.code) == (403, "https_required")
        assert (await edge.get(PATH, X_Forwarded_Proto="https")).status == 404
        assert (await edge.get("/livez")).status == 200, "whoever watches stands beside us"
    hearing = replace(trusting, forwarded="forwarded")
    async with stand.serve(requires_https=True, limits=hearing) as edge:
        assert (await edge.get(PATH, Forwarded="for=192.0.2.1;proto=https")).status == 404
        assert (await edge.get(PATH, X_Forwarded_Proto="https")).status == 403


async def test_whoever_is_no_trusted_hop_cannot_vouch_for_https(stand: Stand) -> None:
    async with stand.serve(requires_https=True) as edge:
        assert (await edge.get(PATH, X_Forwarded_Proto="https")).code == "https_required"


async def test_a_certificate_that_cannot_be_used_starts_nothing(
    stand: Stand, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ours")
    one, other = authority.issue("a.test"), authority.issue("b.test")
    (tmp_path / "master").write_text(stand.settings.master_key.hex())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge"),
        env={
            "PATH": os.environ["PATH"],
            "AMPLY_MODE": "development",
            "AMPLY_POSTGRES": stand.settings.postgres,
            "AMPLY_SPICEDB": stand.settings.spicedb,
            "AMPLY_SPICEDB_TOKEN": "x",
            "AMPLY_MASTER_KEY": str(tmp_path / "master"),
            "AMPLY_PUBLIC": str(tmp_path),
            "AMPLY_LOG_ORIGIN": "amply.test/log/0",
            "AMPLY_URL": "https://edge.test",
            "AMPLY_PORT": "0",
            "AMPLY_TLS_CERTIFICATE": str(one.certificate),
            "AMPLY_TLS_KEY": str(other.key),
        },
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.PIPE,
    )
    _, printed = await process.communicate()
    assert process.returncode == 2
    assert b"AMPLY_TLS_CERTIFICATE and AMPLY_TLS_KEY: KEY_VALUES_MISMATCH" in printed
