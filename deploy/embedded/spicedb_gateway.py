"""A process that serves the embedded SpiceDB library to others over gRPC, to holders of its token
only.

Run as `python -m deploy.embedded.spicedb_gateway LIBRARY PORT`. The token and the datastore's
address come by environment (AMPLY_SPICEDB_TOKEN, AMPLY_SPICEDB_DATASTORE), since arguments are
visible to everybody on the machine. Messages pass through as bytes. The library has no bulk
import, no bulk export and no reflection of schemas; it answers UNIMPLEMENTED there.
"""

import asyncio
import hmac
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from deploy.embedded.spicedb_library import (
    FUNCTIONS,
    PERMISSIONS,
    Instance,
    Library,
    LibraryError,
)

STREAMING = (
    PERMISSIONS + "ReadRelationships",
    PERMISSIONS + "LookupResources",
    PERMISSIONS + "LookupSubjects",
    "/authzed.api.v1.WatchService/Watch",
)
HEALTH = "/grpc.health.v1.Health/Check"
# grpc.health.v1.HealthCheckResponse{status: SERVING}
SERVING = b"\x08\x01"
CALLS_AT_ONCE = 16
STOP_GRACE_S = 1
MESSAGE_BYTES_MAX = 4 * 1024 * 1024

_CODE = re.compile(r"code = (\w+)")


def status_of(error: LibraryError) -> tuple[grpc.StatusCode, str]:
    """The code inside `rpc error: code = NotFound desc = ...`; INTERNAL when there is none."""
    text = str(error)
    found = _CODE.search(text)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found.group(1)).upper() if found else ""
    code = grpc.StatusCode.__members__.get(name, grpc.StatusCode.INTERNAL)
    return code, text.partition("desc = ")[2] or text


class Gateway(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc publishes no types
    """Every method the library has, as a handler that checks the token first."""

    def __init__(self, library: Library, instance: Instance, token: str) -> None:
        self._library = library
        self._instance = instance
        self._authorization = f"Bearer {token}".encode()
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE)
        self._upstream = grpc.aio.insecure_channel(f"unix:{instance.streaming_address}")
        unary = {method: self._unary(method) for method in FUNCTIONS}
        streaming = {method: self._streaming(method) for method in STREAMING}
        self._handlers = unary | streaming | {HEALTH: self._health()}

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)

    async def _authenticate(self, context: Any) -> None:
        sent = dict(context.invocation_metadata()).get("authorization", "")
        raw = sent if isinstance(sent, bytes) else sent.encode()
        if not hmac.compare_digest(raw, self._authorization):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "the SpiceDB token is missing or wrong"
            )

    def _unary(self, method: str) -> Any:
        async def handle(request: bytes, context: Any) -> bytes:
            await self._authenticate(context)
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(
                    self._threads, self._library.call, self._instance, method, request
                )
            except LibraryError as error:
                await context.abort(*status_of(error))
                raise

        return grpc.unary_unary_rpc_method_handler(handle)

    def _streaming(self, method: str) -> Any:
        call = self._upstream.unary_stream(method)

        async def handle(request: bytes, context: Any) -> AsyncIterator[bytes]:
            await self._authenticate(context)
            try:
                async for answer in call(request):
                    yield answer
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details())

        return grpc.unary_stream_rpc_method_handler(handle)

    def _health(self) -> Any:
        async def handle(_request: bytes, _context: Any) -> bytes:
            return SERVING

        return grpc.unary_unary_rpc_method_handler(handle)


async def serve(library_path: Path, port: int, token: str, datastore: str | None) -> None:
    """Serve until SIGTERM or SIGINT; without a datastore everything lives in memory."""
    library = Library(library_path)
    options = {"datastore": "postgres", "datastore_uri": datastore} if datastore else {}
    instance = library.start(options)
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
    )
    server.add_generic_rpc_handlers((Gateway(library, instance, token),))
    credentials = grpc.local_server_credentials(grpc.LocalConnectionType.LOCAL_TCP)
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(STOP_GRACE_S)
    library.dispose(instance)


def main() -> None:
    library, port = sys.argv[1:]
    token = os.environ.pop("AMPLY_SPICEDB_TOKEN")
    datastore = os.environ.pop("AMPLY_SPICEDB_DATASTORE", None)
    asyncio.run(serve(Path(library), int(port), token, datastore))


if __name__ == "__main__":
    main()
