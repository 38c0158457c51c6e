"""Connections: what holds before there is a request, for whatever bytes come, however slowly.

aiohttp closes a connection that is idle, and bounds lines and fields. What it does not bound is
done here: how many connections there are, how long a head may take, how long an answer may wait
for a client that does not read. One look a second over all connections costs a request nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from edge import errors, metrics, problem_pages
from edge.bounds import Bounds, Places
from edge.errors import ProblemError
from edge.limits.clients import Clients
from edge.server import HEAD_BYTES_MAX, SECURITY_HEADERS, new_request_id, problem_response
from edge.settings import Settings

_KEEPALIVE_S: Final = 75
_LINGER_S: Final = 2.0
_LINE_BYTES_MAX: Final = 8 * 1024
_FIELDS_MAX: Final = 100
_TOO_MANY_FIELDS: Final = "Too many headers"
_RETRY: Final = {"Retry-After": "5"}

#: The address that a connection is counted under, by its peer's; None: under none.
Counted = Callable[[str | None], str | None]

_log = structlog.get_logger()


class Connections:
    """The connections of one server, and what is done about those that stall."""

    def __init__(self, bounds: Bounds, base_url: str, counted: Counted) -> None:
        self.bounds, self.base_url = bounds, base_url
        self._counted = counted
        self._places = Places(bounds.connections, bounds.connections_of_address)
        self._open: dict[Connection, tuple[str | None, bool]] = {}
        self._next_look: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        every_s = min(1.0, self.bounds.head_s / 4, self.bounds.stalled_s / 4)
        loop = asyncio.get_running_loop()

        def look() -> None:
            self._next_look = loop.call_later(every_s, look)
            for connection in list(self._open):
                connection.look(loop.time(), self.bounds)

        self._next_look = loop.call_later(every_s, look)

    def close(self) -> None:
        """Stop looking."""
        if self._next_look is not None:
            self._next_look.cancel()

    def opened(self, connection: "Connection", peer: str | None) -> bool:
        """Whether there is a place for it."""
        address = self._counted(peer)
        has_place = self._places.take(address)
        self._open[connection] = address, has_place
        metrics.CONNECTIONS.set(len(self._open))
        return has_place

    def is_flooded(self) -> bool:
        """Whether there are too many even to tell them so."""
        return len(self._open) > 2 * self.bounds.connections

    def closed(self, connection: "Connection") -> None:
        """It is gone."""
        address, had_place = self._open.pop(connection, (None, False))
        if had_place:
            self._places.give_back(address)
        metrics.CONNECTIONS.set(len(self._open))


class Connection(RequestHandler):
    """One connection. Malformed HTTP gets a problem too, and one log line."""

    def __init__(self, connections: Connections, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._connections = connections
        self._wire: asyncio.Transport | None = None
        self._has_place = True
        #: The body of the newest request: what comes before its end is no head.
        self._body: Any = None
        self._head_bytes = 0
        self._head_since: float | None = None
        self._is_refused = False
        #: When it is ended for good, and why.
        self._end: tuple[float, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A place is taken, or the first bytes are answered with 503."""
        super().connection_made(transport)
        self._wire = self.transport
        self._head_since = self._loop.time()
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else None
        self._has_place = self._connections.opened(self, address)
        if self._connections.is_flooded() and self._wire is not None:
            self._wire.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The place is free."""
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a body, of a head that is complete, or of one that is not yet."""
        if self._is_refused:
            return
        if not self._has_place:
            self._refuse(ProblemError("overloaded", headers=_RETRY))
            return
        count, was_in_body = self._request_count, self._is_in_body()
        super().data_received(data)
        if self._request_count != count:
            self._body = self._messages[-1][1]
            self._head_bytes, self._head_since = 0, None
        elif data and not was_in_body:
            self._head_bytes += len(data)
            if self._head_since is None:
                self._head_since = self._loop.time()
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(ProblemError("head_too_large"))

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        super().pause_writing()
        self._end = self._loop.time() + self._connections.bounds.stalled_s, "stalled"

    def resume_writing(self) -> None:
        """It caught up."""
        super().resume_writing()
        if not self._is_refused:
            self._end = None

    def look(self, now: float, bounds: Bounds) -> None:
        """End what takes too long: a head, or a client's reading."""
        wire = self._wire
        if wire is None:
            return
        if self._end is None and self.transport is None:
            # It is closed once everything is sent, however long the client takes.
            self._end = now + bounds.stalled_s, "stalled"
        if self._end is not None:
            ends_at, reason = self._end
            if now > ends_at:
                metrics.CONNECTIONS_ENDED.labels(reason).inc()
                wire.abort()
        elif self._head_since is not None and now - self._head_since > bounds.head_s:
            if self._head_bytes:
                self._refuse(ProblemError("head_timeout"))
            elif self._is_idle():
                self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, or too much of it."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer was already sent")
        if isinstance(exc, LineTooLong) or _TOO_MANY_FIELDS in str(message):
            problem = ProblemError("head_too_large")
        else:
            problem = ProblemError("malformed_request" if status == 400 else "internal")
        identifier = new_request_id()
        _record(problem, identifier, exc)
        response = problem_response(problem, self._connections.base_url, "", identifier)
        response.headers.update({**SECURITY_HEADERS, "X-Request-Id": identifier})
        response.force_close()
        return response

    def _is_in_body(self) -> bool:
        return self._body is not None and not self._body.is_eof()

    def _is_idle(self) -> bool:
        return not self._request_in_progress and not self._messages

    def _refuse(self, problem: ProblemError) -> None:
        """Answer what is no request yet, and close; after the answers that are under way."""
        if self.transport is None:
            return
        if not self._is_idle():
            self.close()
            return
        identifier = new_request_id()
        _record(problem, identifier, None)
        self.transport.write(_raw(problem, self._connections.base_url, identifier))
        if self.transport.can_write_eof():
            # What still comes is thrown away for a while: a reset would destroy the answer.
            self.transport.write_eof()
            self._is_refused, self._end = True, (self._loop.time() + _LINGER_S, "refused")
        else:
            self.force_close()


def _record(problem: ProblemError, identifier: str, error: BaseException | None) -> None:
    _log.warning(
        "request",
        request_id=identifier,
        route="unmatched",
        status=problem.kind.status,
        outcome=problem.code,
        error=type(error).__name__ if error else None,
    )
    metrics.REQUESTS.labels("other", "unmatched", problem.code).inc()


def _raw(problem: ProblemError, base_url: str, identifier: str) -> bytes:
    body = problem_pages.render(problem, base_url=base_url, instance="", request_id=identifier)
    headers = {
        **SECURITY_HEADERS,
        "Content-Type": errors.MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        "X-Request-Id": identifier,
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.kind.status} -", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Server(web.Server):
    connections_of: Connections

    def __call__(self) -> RequestHandler:
        return Connection(self.connections_of, self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application on such connections."""

    def __init__(
        self, app: web.Application, settings: Settings, *, handler_cancellation: bool = False
    ) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            lingering_time=_LINGER_S,
            shutdown_timeout=15.0,
            handler_cancellation=handler_cancellation,
            auto_decompress=False,
            max_line_size=_LINE_BYTES_MAX,
            max_field_size=_LINE_BYTES_MAX,
            max_headers=_FIELDS_MAX,
        )
        counted = Clients(settings.limits).peer_of
        self._connections = Connections(settings.bounds, settings.url, counted)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
        server.connections_of = self._connections
        self._connections.start()
        return server

    async def cleanup(self) -> None:
        """Answer what was asked, then close."""
        await super().cleanup()
        self._connections.close()
