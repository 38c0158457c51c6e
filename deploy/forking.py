"""The supervisor's side of `deploy.fork_server`: ask for processes, and hear of their end."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.fork_server import ENDED, FORK, MESSAGE, SIGNAL, STARTED

#: What every process gets of the environment of whoever starts the platform.
INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
STOP_TIMEOUT_S: Final = 5.0


class ForkServerGoneError(OSError):
    """The fork server ended: it may have started the process, which then ends with it."""


class Fork:
    """A process that the fork server started; `returncode` as `subprocess` has it."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self._server = server
        self._ended = asyncio.Event()
        self.pid = pid
        self.returncode: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """The fork server sends it, which alone knows that the process id is still this one's."""
        self._server.say(SIGNAL, self.pid, number)

    async def wait(self) -> int:
        """Its exit status, or the negative number of the signal that ended it."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def end(self, status: int) -> None:
        """Take note that it ended."""
        self.returncode = status
        self._ended.set()


class ForkServer:
    """One fork server. It cannot be used after it `is_gone`."""

    def __init__(self) -> None:
        self.is_gone = False
        self._socket, self._theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._asked: deque[asyncio.Future[Fork]] = deque()
        self._forks: dict[int, Fork] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self, log: Path) -> None:
        """Start it; it imports while one goes on, and forks when it is ready."""
        with log.open("ab") as output, self._theirs as theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.fork_server", str(os.getpid())),
                env=inherited(),
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._listening = asyncio.create_task(self._listen())

    async def fork(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], niceness: int, log: Path
    ) -> Fork:
        """A process that runs this module with these arguments; ForkServerGoneError."""
        order, write = os.pipe()
        wanted = {
            "arguments": arguments,
            "environment": {**inherited(), **environment},
            "niceness": niceness,
        }
        # A pipe holds 64 KiB: far more than settings are.
        with os.fdopen(order), os.fdopen(write, "w") as pipe, log.open("ab") as output:
            json.dump(wanted, pipe)
            pipe.flush()
            asked: asyncio.Future[Fork] = asyncio.get_running_loop().create_future()
            self._asked.append(asked)
            self.say(FORK, 0, 0, order, output.fileno())
        return await asked

    def say(self, kind: int, pid: int, number: int, *descriptors: int) -> None:
        """Send a message; none arrives once it is gone."""
        message = MESSAGE.pack(kind, pid, number)
        try:
            socket.send_fds(self._socket, [message], list(descriptors))
        except OSError:
            self._lose()

    async def close(self) -> None:
        """End it; its forks have ended before."""
        assert self._process is not None and self._listening is not None
        self._listening.cancel()
        self._lose()
        self._socket.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        received = b""
        with contextlib.suppress(OSError):
            while more := await loop.sock_recv(self._socket, 4096):
                received += more
                while len(received) >= MESSAGE.size:
                    self._hear(*MESSAGE.unpack(received[: MESSAGE.size]))
                    received = received[MESSAGE.size :]
        self._lose()

    def _hear(self, kind: int, pid: int, number: int) -> None:
        if kind == STARTED:
            fork = self._forks[pid] = Fork(self, pid)
            asked = self._asked.popleft()
            if asked.cancelled():  # Nobody waits for it any more.
                fork.send_signal(signal.SIGTERM)
            else:
                asked.set_result(fork)
        elif kind == ENDED:
            self._forks.pop(pid).end(number)

    def _lose(self) -> None:
        """It is gone: Linux has told its forks to end, others are told here."""
        self.is_gone = True
        while self._asked:
            asked = self._asked.popleft()
            if not asked.done():
                asked.set_exception(ForkServerGoneError("the fork server ended"))
        for pid, fork in self._forks.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            fork.end(-signal.SIGTERM)
        self._forks.clear()


def inherited() -> dict[str, str]:
    """What is inherited of this process's own environment."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}
