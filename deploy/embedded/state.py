"""What a data directory remembers between starts: ports, credentials, who holds it, what was
running.
"""

import errno
import fcntl
import json
import os
import secrets
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import TextIO

from contracts.environments import DEVELOPMENT_MARK
from deploy.embedded.errors import DirectoryInUseError, EngineError
from deploy.embedded.processes import Child, end_survivor, process_identity

# Below the ephemeral range of Linux and macOS: an outgoing connection never takes a remembered
# port.
PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file as a whole, never readable by others on the way."""
    temporary = path.with_name(path.name + ".partial")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Engines set this too: connections of an earlier run that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(taken: Iterable[int] = ()) -> int:
    """A loopback port that nobody listens on now and that is none of those taken."""
    random = SystemRandom()
    for _ in range(1000):
        port = random.choice(PORTS)
        if port not in taken and port_is_free(port):
            return port
    raise EngineError(f"no free port between {PORTS.start} and {PORTS.stop} on {LOOPBACK}.")


class DirectoryLock:
    """Held by one process per data directory; the kernel releases it when that process dies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: TextIO | None = None

    def take(self) -> None:
        file = (self._directory / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise DirectoryInUseError(
                f"{self._directory} is in use by process {holder}: "
                "stop it, or choose another data directory."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(slots=True)
class Running:
    """A started engine as the next start must recognise it."""

    pid: int
    identity: str
    stop_signal: int


@dataclass(slots=True)
class State:
    """`engines.json`. Written before an engine is used, so a crash leaves nothing unknown
    behind.
    """

    path: Path
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: Path) -> "State":
        path = directory / "engines.json"
        if not path.exists():
            return cls(path)
        try:
            stored = json.loads(path.read_text())
            running = {name: Running(**fields) for name, fields in stored["running"].items()}
            return cls(path, dict(stored["ports"]), running)
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(
                f"{path} is damaged ({error}): remove that file; ports are chosen anew, data stays."
            ) from None

    def save(self) -> None:
        stored = {
            "ports": self.ports,
            "running": {name: asdict(process) for name, process in self.running.items()},
        }
        write_atomically(self.path, json.dumps(stored, indent=2) + "\n")

    def port(self, name: str) -> int:
        """The port of this name: the remembered one unless somebody else listens there now."""
        remembered = self.ports.get(name)
        if remembered is None or not port_is_free(remembered):
            self.ports[name] = free_port(self.ports.values())
            self.save()
        return self.ports[name]

    def remember(self, name: str, child: Child) -> None:
        identity = process_identity(child.pid)
        if identity is not None:
            self.running[name] = Running(child.pid, identity, int(child.stop_signal))
            self.save()

    def forget(self, name: str) -> None:
        if self.running.pop(name, None) is not None:
            self.save()

    async def end_survivors(self) -> list[str]:
        """End what an earlier starter left running; the names of those that were."""
        survivors = []
        for name, process in self.running.items():
            if await end_survivor(
                process.pid, process.identity, signal.Signals(process.stop_signal)
            ):
                survivors.append(name)
        self.running.clear()
        self.save()
        return survivors


def load_secrets(directory: Path) -> dict[str, str]:
    """Random credentials of this data directory, made at its first start and kept in a file of
    mode 600.
    """
    path = directory / "secrets"
    stored: dict[str, str] = {}
    with suppress(FileNotFoundError):
        stored = json.loads(path.read_text())
    names = ("postgres_password", "spicedb_postgres_password", "spicedb_token")
    missing = [name for name in names if name not in stored]
    if missing:
        stored |= {name: DEVELOPMENT_MARK + secrets.token_urlsafe(32) for name in missing}
        write_atomically(path, json.dumps(stored) + "\n")
    return stored
