"""Several edge processes on one port: the kernel spreads connections over them (SO_REUSEPORT).

The parent serves nothing. It holds the port, starts the processes, starts anew what ends, and hands
signals on. Each process is an edge like any other: limits are shared in PostgreSQL, each hears what
changes, and each tells its own figures on a management port of its own. One that is told to end
drains while the others serve, and is replaced.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

NUMBER: Final = "AMPLY_EDGE_NUMBER"
PARENT: Final = "AMPLY_EDGE_PARENT"
_RESTART_DELAY_S: Final = 0.5
_LOOK_EVERY_S: Final = 1.0
_log = structlog.get_logger()


def hold(host: str, port: int) -> socket.socket:
    """The port, bound and never listened on; OSError when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return held


async def run(count: int, port: int, management_port: int | None) -> None:
    """Keep `count` processes until SIGTERM, which ends them all; a second one kills them."""
    stopping = asyncio.Event()
    children: dict[int, asyncio.subprocess.Process] = {}

    def stop() -> None:
        for child in children.values():
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGKILL if stopping.is_set() else signal.SIGTERM)
        stopping.set()

    async def keep(number: int) -> None:
        while not stopping.is_set():
            environment = _environment(os.environ, number, port, management_port)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "edge", env=environment
            )
            children[number] = child
            if stopping.is_set():
                child.terminate()
            status = await child.wait()
            if not stopping.is_set():
                _log.warning("process_ended", number=number, status=status)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RESTART_DELAY_S):
                        await stopping.wait()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    await asyncio.gather(*(keep(number) for number in range(count)))


async def watch_parent(stop: asyncio.Event) -> None:
    """Set `stop` when the parent is gone, however it went; return at once where there is none."""
    parent = os.environ.get(PARENT)
    while parent is not None and not stop.is_set():
        if str(os.getppid()) != parent:
            stop.set()
        await asyncio.sleep(_LOOK_EVERY_S)


def _environment(
    given: Mapping[str, str], number: int, port: int, management_port: int | None
) -> dict[str, str]:
    own = {"AMPLY_PORT": str(port), NUMBER: str(number), PARENT: str(os.getpid())}
    if management_port is not None:
        own["AMPLY_MANAGEMENT_PORT"] = str(management_port + number)
    return {**given, **own}
