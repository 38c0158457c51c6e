"""What holds for every request, whatever its route.

Every request has an id, ends in one log line with an outcome, and gets a problem+json for every
error. No answer names the software that made it.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiohttp import web

from edge import cross_origin, errors, logs, metrics, problem_pages, tracing
from edge.bounds import Bounds, Places
from edge.errors import ProblemError
from edge.health import HEALTH
from edge.http import ACTOR, REQUEST_ID, SUBJECTS, TRACE, conditional
from edge.limits.rates import HEADERS
from topics.tracing import PARENT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: What a head may have in all; one line of it is bounded by the parser.
HEAD_BYTES_MAX: Final = 32 * 1024
_UNBOUNDED: Final = Bounds()
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
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
        body=problem_pages.render(problem, base_url=base_url, instance=path, request_id=identifier),
        status=problem.kind.status,
        content_type=errors.MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "Vary": "Authorization", **problem.headers},
    )


def application(
    base_url: str, bounds: Bounds, address_of: Callable[[web.Request], str | None]
) -> web.Application:
    """An application without routes, which holds all this for every request."""
    app = web.Application(middlewares=[observing(base_url, bounds, address_of)])
    app.on_response_prepare.append(prepare_headers)
    return app


def observing(
    base_url: str,
    bounds: Bounds = _UNBOUNDED,
    address_of: Callable[[web.Request], str | None] = lambda request: None,
) -> Any:
    """The outermost middleware: ids, problems, the log line and the figures of a request."""
    places = Places(bounds.requests, bounds.requests_of_address)

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        address = address_of(request)
        if not places.take(address):
            raise ProblemError("overloaded", headers={"Retry-After": "1"})
        try:
            _check_head(request)
            return conditional(request, await handler(request))
        except web.HTTPMethodNotAllowed as error:
            if request.method == "OPTIONS":
                return cross_origin.options(request, error.allowed_methods)
            raise
        finally:
            places.give_back(address)

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        identifier = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        request[REQUEST_ID] = identifier
        trace = tracing.continued(request.headers.getall("traceparent", []))
        request[TRACE] = trace.id
        PARENT.set(trace.parent)  # A request is a task of its own, and so is its context.
        outcome, status = "ok", 0
        try:
            response = await answer(request, handler)
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


def _check_head(request: web.Request) -> None:
    if sum(len(name) + len(value) for name, value in request.raw_headers) > HEAD_BYTES_MAX:
        raise ProblemError("head_too_large")
    if "Expect" in request.headers and not _expects_continue(request):
        raise ProblemError("expectation_failed")
    # PostgreSQL cannot hold U+0000: whatever has it in its address is nothing of ours.
    if "\0" in request.path:
        raise ProblemError("not_found")
    if "\0" in request.query_string:
        raise ProblemError("query_not_accepted", "No query holds the character U+0000.")


async def prepare_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, streamed ones too. What went wrong is never kept by a cache."""
    response.headers.update(SECURITY_HEADERS)
    if response.status >= 400:
        response.headers["Cache-Control"] = "no-store"
    for name in ("Authorization", "Cookie"):
        if name in request.headers:
            _keep_private(response, name)
    cross_origin.mark(request, response)
    health = request.app.get(HEALTH)
    if health is not None and health.is_draining:
        # Whoever comes again over another connection comes to another edge.
        response.force_close()
        response.headers["Connection"] = "close"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
    if HEADERS in request:
        response.headers.update(request[HEADERS])


def _keep_private(response: web.StreamResponse, name: str) -> None:
    """No answer to somebody in particular is for others, whatever its handler thought of."""
    cross_origin.add_vary(response, name)
    kept = response.headers.get("Cache-Control", "no-store")
    response.headers["Cache-Control"] = kept.replace("public", "private")


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
        trace_id=request[TRACE],
        actor=request.get(ACTOR),
        **request.get(SUBJECTS, {}),
    )
