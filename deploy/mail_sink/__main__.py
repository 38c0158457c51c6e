"""Run as `python -m deploy.mail_sink --port PORT --directory FOLDER`: SMTP on loopback, mails as
files.

Each accepted message becomes `FOLDER/new/<unique>.eml`, exactly the bytes received. It is written
under `FOLDER/tmp` and renamed, so whoever watches `new` sees whole messages only, and the sender
gets its 250 after the file is on disk.
"""

import argparse
import asyncio
import os
import secrets
import signal
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"
MESSAGE_BYTES_MAX = 1024 * 1024


def deliver(directory: Path, content: bytes) -> Path:
    """Write one message durably and return where it lies. Names sort by time of arrival."""
    name = f"{time.time_ns()}.{secrets.token_hex(8)}.eml"
    temporary = directory / "tmp" / name
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary.rename(directory / "new" / name)


class Handler:
    """What the SMTP server calls for an accepted message."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def handle_DATA(  # noqa: N802 (the name is how aiosmtpd finds it)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        await asyncio.to_thread(deliver, self._directory, raw)
        return "250 OK"


async def serve(port: int, directory: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    for name in ("tmp", "new"):
        (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    loop = asyncio.get_running_loop()
    handler = Handler(directory)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", data_size_limit=MESSAGE_BYTES_MAX),
        LOOPBACK,
        port,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with server:
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy.mail_sink", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.directory.absolute()))


if __name__ == "__main__":
    main()
