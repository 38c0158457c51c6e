"""A real Keycloak on loopback: fetched by its hash, built once into the cache, with our realm.

It runs on the Java that Kafka runs on. What cannot be fetched or run fails the tests.
"""

import hmac
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.fetch import KAFKA_TOOLS, MEBIBYTE, java, run_client
from deploy.ports import free_ports
from edge.tokens.models import ProviderSettings
from tests.edge.browser import Browser, Page
from tests.edge.login import EDGE, wait_for

HERE = Path(__file__).parent / "keycloak"
VERSION = "26.7.3"
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
FEATURES_OFF = "account,account-api,admin,ciba,device-flow,impersonation,kerberos,par"
#: What matters is how soon it is there, not how much it can take.
JAVA_OPTIONS = "-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
START_S_MAX = 600
PASSWORD = "olga-pw"
OTP_SECRET = b"DEVTOTPSECRET1234567"
SECRET = "of-the-keycloak-test"


@dataclass(frozen=True)
class Installation:
    """A built Keycloak, and the Java that runs it."""

    home: Path
    java_home: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "JAVA_HOME": str(self.java_home), "JAVA_OPTS": JAVA_OPTIONS}


async def build(cache: Cache) -> Installation:
    """From the cache, or fetched and built into it now."""
    tools = await KAFKA_TOOLS.ensure(cache)
    java_home = java(tools).parents[1]

    async def make(partial: Path) -> None:
        script = str(HERE / "fetch.py")
        await run_client(
            cache, "Keycloak", [sys.executable, script, str(tools), VERSION, SHA256, "."], partial
        )
        with zipfile.ZipFile(partial / "keycloak.zip") as archive:
            archive.extractall(partial)
        (partial / "keycloak.zip").unlink()
        home = partial / f"keycloak-{VERSION}"
        (home / "bin" / "kc.sh").chmod(0o755)
        (home / "data" / "import").mkdir(parents=True)
        shutil.copyfile(HERE / "realm.json", home / "data" / "import" / "amply-realm.json")
        command = [
            str(home / "bin" / "kc.sh"),
            "build",
            "--db=dev-mem",
            f"--features-disabled={FEATURES_OFF}",
        ]
        await run_client(
            cache, "Keycloak", command, partial, JAVA_HOME=str(java_home), JAVA_OPTS=JAVA_OPTIONS
        )

    realm = (HERE / "realm.json").read_bytes()
    key = digest_of(VERSION, SHA256, realm, FEATURES_OFF, str(java_home))
    folder = await cache.ensure(
        f"thirdparty-keycloak-{key}", f"Keycloak {VERSION}", 180 * MEBIBYTE, make
    )
    return Installation(folder / f"keycloak-{VERSION}", java_home)


@dataclass(frozen=True)
class Keycloak:
    """A running one."""

    port: int

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}/realms/amply"

    @property
    def settings(self) -> ProviderSettings:
        return ProviderSettings(
            issuer=self.issuer,
            client_id="amply",
            client_secret=SECRET,
            audience=EDGE,
            allows_plain_http=True,
        )

    async def answer(self, browser: Browser, page: Page, *, stop_at: str | None = None) -> Page:
        """Fill in its pages until one is not its own."""
        asked: list[list[str]] = []
        while page.url.startswith(f"http://localhost:{self.port}/") and page.fields:
            assert len(asked) < 3, f"asked for {asked}, now {page.text[:2000]}"
            given = {"username": "owner", "password": PASSWORD, "otp": ""}
            if "otp" in page.fields:
                given["otp"] = totp(int(time.time()))
            asked.append(sorted(page.fields & given.keys()))
            known = {name: given[name] for name in page.fields if name in given}
            page = await browser.submit(page, stop_at=stop_at, **known)
        return page


def totp(now: int) -> str:
    """RFC 6238, as the realm has it."""
    digest = hmac.digest(OTP_SECRET, struct.pack(">Q", now // 30), "sha1")
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


@contextmanager
def keycloak(installation: Installation, folder: Path) -> Iterator[Keycloak]:
    """Run it until the end of the block. Its data are in memory."""
    [port] = free_ports(1)
    options = [
        "--optimized",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        f"--http-port={port}",
        f"--hostname=http://localhost:{port}",
        "--cache=local",
        "--import-realm",
    ]
    log = folder / "keycloak.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [installation.home / "bin" / "kc.sh", "start", *options],
            env=installation.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Keycloak(port)
    try:
        wait_for(process, f"{running.issuer}/protocol/openid-connect/certs", log, START_S_MAX)
        yield running
    finally:
        # The script is the leader of a group that its Java belongs to.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
