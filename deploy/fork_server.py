"""One process that has imported what all need; the platform's processes are forks of it.

`python -m deploy.fork_server SUPERVISOR NAMES...`, with a socket as standard input. Importing costs
a process a second, a fork next to nothing, and what was imported is shared memory. Otherwise a fork
is what `python -m MODULE ARGUMENTS...` would be, in a session of its own, with its own environment,
log and exit status. It reads its order from a pipe itself: the settings of one process, passwords
among them, never pass through the memory that the next one inherits.

Messages are three integers, of `Message`: the supervisor says FORK (with two descriptors: the
order, the log) and SIGNAL; it hears STARTED and ENDED, each with a process id, in their order.

On Linux the kernel ends this process when the supervisor dies, and its forks when this one does.
"""

import contextlib
import ctypes
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Final

from topics import failpoints

FORK: Final = 1
SIGNAL: Final = 2
STARTED: Final = 3
ENDED: Final = 4
MESSAGE: Final = struct.Struct("!iii")

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
#: Nothing with state of its own: a module of ours that counts would count in every process.
PRELOADED: Final = (
    *("aiohttp.web", "aiokafka", "aiosmtplib", "asyncpg", "authzed.api.v1", "cryptography.x509"),
    *("faststream.kafka", "grpc.aio", "grpcutil", "orjson", "prometheus_client", "pydantic"),
    *("stripe", "structlog", "uvloop", "ledger.batch", "ledger.transparency", "topics.registry"),
)


class _Server:
    """Forks at the supervisor's word, and says which of its forks ended how."""

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor = supervisor
        self._alive: set[int] = set()
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        self._descriptors = (self._woken, waker, supervisor.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # Only what has a handler wakes.
        signal.set_wakeup_fd(waker)

    def run(self) -> int:
        """Serve; returns in each fork with the descriptor of its order, or ends with SystemExit."""
        while True:
            ready, _, _ = select.select([self._woken, self._supervisor.fileno()], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._supervisor.fileno() in ready:
                order = self._obey()
                if order is not None:
                    return order

    def _obey(self) -> int | None:
        message, descriptors, _, _ = socket.recv_fds(self._supervisor, MESSAGE.size, 2)
        if not message:
            raise SystemExit(0)  # The supervisor closed the socket.
        kind, pid, number = MESSAGE.unpack(message)
        if kind == SIGNAL:
            if pid in self._alive:
                os.kill(pid, number)
            return None
        order, log = descriptors
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            self._leave(log, parent)
            return order
        os.close(order)
        os.close(log)
        self._alive.add(child)
        self._say(STARTED, child, 0)
        return None

    def _leave(self, log: int, parent: int) -> None:
        """In the fork: give up all that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        tie_to(parent)
        os.setsid()
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), sys.stdin.fileno())
        os.close(log)
        self._supervisor.detach()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._alive.discard(pid)
            self._say(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _say(self, kind: int, pid: int, number: int) -> None:
        self._supervisor.sendall(MESSAGE.pack(kind, pid, number))


def tie_to(parent: int) -> None:
    """Have the kernel end this process when its parent dies, also if that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")


def take_name(arguments: list[str]) -> None:
    """Be told from other forks by `ps -o comm`, which shows 15 characters."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, " ".join(arguments).encode()[:15], 0, 0, 0)


def stand_back(niceness: int) -> None:
    """Lower this process's claim on processors.

    Where Linux groups tasks by session (sched(7), "The autogroup feature"), a nice value counts
    within the session only, and the group has a nice value of its own.
    """
    os.nice(niceness)
    group = Path("/proc/self/autogroup")
    if niceness and group.exists():
        with contextlib.suppress(OSError):  # Some containers forbid it: then all are equal.
            group.write_text(str(niceness))


def preload() -> None:
    """Import what processes share. What cannot be imported fails where it is needed."""
    for name in PRELOADED:
        try:
            import_module(name)
        except Exception:
            traceback.print_exc()


def main() -> None:
    """Serve; in a fork, become the module that its order names."""
    tie_to(int(sys.argv[1]))
    supervisor = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    preload()
    order = _Server(supervisor).run()
    with os.fdopen(order) as pipe:
        wanted = json.load(pipe)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    failpoints.arm()
    stand_back(wanted["niceness"])
    take_name(wanted["arguments"])
    sys.argv[:] = wanted["arguments"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
