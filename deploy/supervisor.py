"""Keep the platform's processes running: start them, restart what ends, stop them in order.

Every process is a session of its own with a minimal environment: only the settings that it names.
It is a fork of one process that has imported the libraries (`deploy.fork_server`), and ends when
the supervisor dies.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.forking import Fork, ForkServer

RESTART_DELAY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: A process that ran this long is considered healthy: the next restart is immediate again.
HEALTHY_AFTER_S: Final = 10.0
STOP_TIMEOUT_S: Final = 20.0
LOG_BYTES_MAX: Final = 16 << 20


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
    process: Fork | None = None
    restarts: int = 0
    watch: asyncio.Task[None] | None = None
    started_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs commands until `stop`. `report(name, text)` is told of every restart."""

    def __init__(self, logs: Path, report: Callable[[str, str], None]) -> None:
        self._logs = logs
        self._report = report
        self._children: dict[str, _Child] = {}
        self._forks: ForkServer | None = None
        self._preparing = asyncio.Lock()

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

    async def prepare(self) -> ForkServer:
        """Have the libraries imported meanwhile, and again when that process was lost."""
        async with self._preparing:
            if self._forks is None or self._forks.is_gone:
                if self._forks is not None:
                    await self._forks.close()
                self._forks = ForkServer()
                await self._forks.start(self.log_of("fork_server"))
            return self._forks

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
        children = list(reversed(self._children.values()))
        for child in children:
            if child.watch is not None:
                child.watch.cancel()
        await asyncio.gather(*(self._end(child) for child in children))
        if self._forks is not None:
            await self._forks.close()

    async def _spawn(self, child: _Child) -> None:
        path = self.log_of(child.command.name)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        command = child.command
        forks = await self.prepare()
        child.process = await forks.fork(
            command.arguments, command.environment, command.niceness, path
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
            try:
                await self._spawn(child)
            except OSError as error:
                self._report(child.command.name, f"cannot be started: {error}")

    async def _end(self, child: _Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        # A stopped process would never see SIGTERM.
        process.send_signal(signal.SIGCONT)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._report(child.command.name, "did not stop in 20 s and was killed")
            process.send_signal(signal.SIGKILL)
            await process.wait()
