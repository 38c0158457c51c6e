"""The HTTP server around the application: what must hold for every request, and for what is none.

Every request has an id, ends in one log line with an outcome, and gets a problem+json for every
error, malformed HTTP included. No answer names the software that made it.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from edge import errors, logs, metrics
from edge.errors import ProblemError
from edge.http import ACTOR, REQUEST_ID, SUBJECTS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_KEEPALIVE_S: Final = 75
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: aiohttp would name itself and Python in Server.
SECURITY_HEADERS: Final = {
    "Server": "amply",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}

_log = structlog.get_logger()


def new_request_id() -> str:
    """`req_` and 32 hexadecimal digits."""
    return f"req_{secrets.token_hex(16)}"


def problem_response(
    problem: ProblemError, base_url: str, path: str, identifier: str
) -> web.Response:
    """The answer that a problem gives."""
    return web.Response(
        body=errors.render(problem, base_url=base_url, instance=path, request_id=identifier),
        status=problem.kind.status,
        content_type=errors.MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "Vary": "Authorization", **problem.headers},
    )


def observing(base_url: str) -> Any:
    """The outermost middleware: ids, problems, the log line and the figures of a request."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        identifier = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        request[REQUEST_ID] = identifier
        outcome, status = "ok", 0
        try:
            if "Expect" in request.headers and not _expects_continue(request):
                raise ProblemError("expectation_failed")
            response = await handler(request)
            status = response.status
            return response
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except ConnectionError:
            outcome = "client_gone"
            raise
        except Exception as error:  # Every error becomes a problem; an unforeseen one is logged.
            problem = _as_problem(error, identifier)
            outcome, status = problem.code, problem.kind.status
            return problem_response(problem, base_url, request.path, identifier)
        finally:
            if outcome == "ok" and (request.transport is None or request.transport.is_closing()):
                outcome = "client_gone"
            _record(request, outcome, status, time.perf_counter() - started)

    return observe


async def prepare_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, streamed ones too. What went wrong is never kept by a cache."""
    response.headers.update(SECURITY_HEADERS)
    if response.status >= 400:
        response.headers["Cache-Control"] = "no-store"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]


async def meet_expectation(request: web.Request) -> None:
    """Invite the body that `Expect: 100-continue` announces; the middleware refuses the rest."""
    if _expects_continue(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _expects_continue(request: web.Request) -> bool:
    return request.headers.get("Expect", "").lower() == "100-continue"


def _as_problem(error: Exception, identifier: str) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, web.HTTPException):
        code = errors.BY_STATUS.get(error.status, "internal")
        allow = error.headers.get("Allow")
        return ProblemError(code, headers={"Allow": allow} if allow else None)
    _log.error(
        "unforeseen", request_id=identifier, error=type(error).__name__, frames=logs.where(error)
    )
    return ProblemError("internal")


def _record(request: web.Request, outcome: str, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unmatched"
    method = request.method if request.method in _METHODS else "other"
    metrics.REQUESTS.labels(method, route, outcome).inc()
    metrics.REQUEST_SECONDS.labels(method, route).observe(seconds)
    _log.info(
        "request",
        request_id=request[REQUEST_ID],
        method=method,
        route=route,
        status=status,
        outcome=outcome,
        duration_ms=round(seconds * 1000, 2),
        actor=request.get(ACTOR),
        **request.get(SUBJECTS, {}),
    )


class _Protocol(RequestHandler):
    """One connection. Malformed HTTP gets a problem too, and one log line."""

    base_url = ""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer was already sent")
        identifier = new_request_id()
        problem = ProblemError("malformed_request" if status == 400 else "internal")
        _log.warning(
            "request",
            request_id=identifier,
            route="unmatched",
            status=problem.kind.status,
            outcome=problem.code,
            error=type(exc).__name__ if exc else None,
        )
        metrics.REQUESTS.labels("other", "unmatched", problem.code).inc()
        response = problem_response(problem, self.base_url, "", identifier)
        response.headers.update({**SECURITY_HEADERS, "X-Request-Id": identifier})
        response.force_close()
        return response


class _Server(web.Server):
    protocol: type[_Protocol]

    def __call__(self) -> RequestHandler:
        return self.protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application with these connections."""

    def __init__(self, app: web.Application, base_url: str, *, handler_cancellation: bool) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            lingering_time=2.0,
            shutdown_timeout=15.0,
            handler_cancellation=handler_cancellation,
            auto_decompress=False,
        )
        self._protocol = type("_ProtocolHere", (_Protocol,), {"base_url": base_url})

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
        server.protocol = self._protocol
        return server
