"""Keep the platform's processes running: start them, restart what ends, stop them in order.

Every process is a session of its own with a minimal environment: only the settings that it names.
It ends when the supervisor dies (`deploy.child`).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

RESTART_DELAY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: A process that ran this long is considered healthy: the next restart is immediate again.
HEALTHY_AFTER_S: Final = 10.0
STOP_TIMEOUT_S: Final = 20.0
LOG_BYTES_MAX: Final = 16 << 20

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Command:
    """A process: `name` for people and logs, module and its arguments, settings.

    `niceness` is how far it stands back when processors are scarce, 0 to 19.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    niceness: int = 0


@dataclass(slots=True)
class _Child:
    command: Command
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    watch: asyncio.Task[None] | None = None
    started_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs commands until `stop`. `report(name, text)` is told of every restart."""

    def __init__(self, logs: Path, report: Callable[[str, str], None]) -> None:
        self._logs = logs
        self._report = report
        self._children: dict[str, _Child] = {}
        self._stopping = False

    def processes(self) -> dict[str, int]:
        """The process ids of what is running."""
        return {
            name: child.process.pid
            for name, child in self._children.items()
            if child.process is not None and child.process.returncode is None
        }

    def log_of(self, name: str) -> Path:
        """The file that takes the output of `name`."""
        return self._logs / f"{name}.log"

    async def start(self, command: Command) -> None:
        """Start a process and restart it, with growing pauses, whenever it ends."""
        child = _Child(command)
        self._children[command.name] = child
        await self._spawn(child)
        child.watch = asyncio.create_task(self._keep(child))

    async def replace(self, command: Command) -> None:
        """Stop the process of this name and run it anew by this command."""
        child = self._children.pop(command.name)
        if child.watch is not None:
            child.watch.cancel()
        await self._end(child)
        await self.start(command)

    async def stop(self) -> None:
        """End everything, last started first: SIGTERM, and SIGKILL after 20 s."""
        self._stopping = True
        children = list(reversed(self._children.values()))
        for child in children:
            if child.watch is not None:
                child.watch.cancel()
        await asyncio.gather(*(self._end(child) for child in children))

    async def _spawn(self, child: _Child) -> None:
        path = self.log_of(child.command.name)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with path.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "deploy.child",
                *child.command.arguments,
                env={
                    **environment,
                    **child.command.environment,
                    "AMPLY_NICENESS": str(child.command.niceness),
                    "AMPLY_SUPERVISOR": str(os.getpid()),
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        child.started_at = time.monotonic()

    async def _keep(self, child: _Child) -> None:
        while True:
            assert child.process is not None
            status = await child.process.wait()
            if time.monotonic() - child.started_at > HEALTHY_AFTER_S:
                child.restarts = 0
            delay_s = RESTART_DELAY_S[min(child.restarts, len(RESTART_DELAY_S) - 1)]
            child.restarts += 1
            how = f"signal {-status}" if status < 0 else f"status {status}"
            self._report(
                child.command.name,
                f"ended with {how}; starting it again (see {self.log_of(child.command.name)})",
            )
            await asyncio.sleep(delay_s)
            await self._spawn(child)

    async def _end(self, child: _Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            # A stopped process would never see SIGTERM.
            process.send_signal(signal.SIGCONT)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._report(child.command.name, "did not stop in 20 s and was killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
