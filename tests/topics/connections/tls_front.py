"""TLS in front of an engine whose own build lacks it: the handshake is real, so is the engine."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.certificates import Identity

#: PostgreSQL, "Message Formats", SSLRequest: its length and code.
SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


def server_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.key)
    context.set_alpn_protocols(["h2"])
    return context


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def front(port: int, identity: Identity, *, is_postgres: bool = False) -> AsyncIterator[int]:
    """A port that speaks TLS and passes all on to `port`; PostgreSQL is asked for TLS first."""
    context = server_context(identity)
    open_pipes: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            if is_postgres:
                if await reader.readexactly(8) != SSL_REQUEST:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(context)
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
            for pipe in (_pipe(reader, upstream_writer), _pipe(upstream_reader, writer)):
                task = asyncio.create_task(pipe)
                open_pipes.add(task)
                task.add_done_callback(open_pipes.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=None if is_postgres else context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(open_pipes):
            task.cancel()
        await asyncio.gather(*open_pipes, return_exceptions=True)
