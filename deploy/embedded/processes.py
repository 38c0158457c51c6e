"""Engines as child processes: started, recognised, ended, and never left behind.

A child is told by the kernel when its starter dies (Linux), and is written down with its identity,
so that the next start finds and ends whatever survived. A process id alone is never trusted: it
may be reused.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.embedded.privileges import Account

POLL_S = 0.02
STOP_DEADLINE_S = 10
LOG_BYTES_MAX = 10 * 1024 * 1024
WORDS_BYTES_MAX = 100_000
LAUNCH = Path(__file__).with_name("launch.py")


def process_identity(pid: int) -> str | None:
    """What tells this process from a later one with the same id: its start time. None: no such
    process.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] == "Z" else f"{boot}:{fields[19]}"
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 (ps lies elsewhere on each BSD)
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None


def launcher(
    command: Sequence[str], death_signal: signal.Signals, account: Account | None
) -> list[str]:
    """The command line that prepares a process by `launch.py` and then becomes the command."""
    bare_python = [sys.executable, "-I", "-S", str(LAUNCH)]
    parent, signal_number = str(os.getpid()), str(int(death_signal))
    return [*bare_python, parent, signal_number, str(account or "-"), *command]


class Child:
    """One running engine. Start it from a thread that lives as long as the engine should: the
    kernel's notice of a starter's death means the starting thread's.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self.log = log
        self.stop_signal = stop_signal
        log.parent.mkdir(parents=True, exist_ok=True)
        bound_log(log)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self.process = subprocess.Popen(
                launcher(command, stop_signal, account),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C on a terminal reaches a whole process group; the starter stops engines in
                # order.
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    async def stop(self) -> None:
        """Ask, wait, insist. Returns when the process is gone."""
        if self.alive:
            self.process.send_signal(self.stop_signal)
        if not await until(lambda: not self.alive, STOP_DEADLINE_S):
            await self.kill()

    async def kill(self) -> None:
        """kill -9, as a crash would."""
        if self.alive:
            self.process.kill()
        await until(lambda: not self.alive, STOP_DEADLINE_S)

    def kill_group(self) -> None:
        """kill -9 the child and whatever it started itself."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def words(self) -> str:
        """What was logged since this launch. A killed server's children may write there as well,
        even after it.
        """
        try:
            logged = self.log.read_bytes()[self._log_start :]
        except OSError:
            return ""
        return logged[-WORDS_BYTES_MAX:].decode(errors="replace").strip()

    def last_words(self) -> str:
        """The last lines of the log, for the error that reports a failed start."""
        return " | ".join(self.words().splitlines()[-3:])


# Called with an engine's name as soon as its process exists, before it is ready.
Launched = Callable[[str, Child], None]


async def until(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Wait until the condition holds; False when it does not within the deadline."""
    try:
        async with asyncio.timeout(deadline_s):
            while not condition():  # noqa: ASYNC110 (a process's end sets no event here)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


async def run_to_end(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    account: Account | None = None,
) -> tuple[int, str]:
    """Run a tool that ends by itself; its exit code and what it printed.

    It never outlives this call: past the time, and when the caller is cancelled, it is killed
    together with whatever it started.
    """
    process = await asyncio.create_subprocess_exec(
        *launcher(command, signal.SIGKILL, account),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


async def answers(
    child: Child | None, probe: Callable[[], Awaitable[bool]], deadline_s: float
) -> bool:
    """Wait until the child's service answers; False when it ended or is silent past the
    deadline.
    """
    try:
        async with asyncio.timeout(deadline_s):
            while child is None or child.alive:
                if await probe():
                    return True
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        pass
    return False


async def end_survivor(pid: int, identity: str, stop_signal: signal.Signals) -> bool:
    """End a process of an earlier start if it still is the one written down; True if there was
    one.
    """

    def gone() -> bool:
        return process_identity(pid) != identity

    if gone():
        return False
    for number, deadline_s in ((stop_signal, STOP_DEADLINE_S), (signal.SIGKILL, STOP_DEADLINE_S)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if await until(gone, deadline_s):
            return True
    return True


def bound_log(log: Path) -> None:
    """Keep at most two logs of LOG_BYTES_MAX: past it the content moves to `<log>.1`.

    Children append to the open file, so it is copied and emptied rather than renamed; a line
    written between the two is lost.
    """
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)
