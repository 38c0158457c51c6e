"""The HTTP side: authentication, versions, idempotency and faults around every call."""

import asyncio
import base64
import hmac
from dataclasses import dataclass, field

import orjson
import structlog
from aiohttp import web

from deploy.sandbox import expand, form, publishable, routes
from deploy.sandbox.accounts import is_revoked
from deploy.sandbox.calls import API_VERSION, Answer, Call
from deploy.sandbox.engine import Engine
from deploy.sandbox.errors import (
    StripeError,
    invalid_parameter,
    no_access,
    unauthorized,
    unrecognized_url,
)
from deploy.sandbox.faults import Fault, refusal
from deploy.sandbox.form import Pairs
from deploy.sandbox.idempotency import Stored
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.route import Route

log = structlog.get_logger()


@dataclass(slots=True)
class Exchange:
    """One request on its way through the server."""

    call: Call
    route: Route
    path: str
    pairs: Pairs
    fault: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)


# A request with this header meets no fault: stories are told whatever else goes wrong.
SPARED = "Sandbox-Spared"


class Server:
    """Answers `/v1/...` as Stripe would."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._key = engine.platform_key.encode()
        self._publishable_key = publishable.key_of(engine.platform_key).encode()

    def authenticate(self, request: web.BaseRequest, *, clients_too: bool = False) -> str:
        """Return the key that the request came with; raises StripeError (401).

        With `clients_too` a publishable key is one too; what it may ask is checked elsewhere.
        """
        given = _key_in(request.headers.get("Authorization", ""))
        if not given:
            raise unauthorized(None)
        # Compared as bytes: str with anything but ASCII makes compare_digest raise.
        key = given.encode(errors="surrogateescape")
        if hmac.compare_digest(key, self._key):
            return given
        if clients_too and hmac.compare_digest(key, self._publishable_key):
            return given
        raise unauthorized(given)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one API request."""
        request_id = new_id("req", 14)
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        exchange: Exchange | None = None
        try:
            exchange = await self._read(request, request_id)
            answer = await self._serve(exchange)
        except StripeError as error:
            headers |= error.headers
            answer = Stored(error.status, orjson.dumps(error.body(request_id)), request_id)
        except Exception:
            log.exception("request_failed", path=request.path, request_id=request_id)
            failure = StripeError(500, "The sandbox failed; see its log.", error_type="api_error")
            answer = Stored(500, orjson.dumps(failure.body(request_id)), request_id)
        if exchange is not None:
            headers |= exchange.headers
            await _disturb(request, exchange.fault)
        return web.Response(
            status=answer.status, body=answer.body, headers=headers, content_type="application/json"
        )

    async def _read(self, request: web.BaseRequest, request_id: str) -> Exchange:
        given = request.headers
        key = self.authenticate(request, clients_too=True)
        version = given.get("Stripe-Version", API_VERSION)
        if version != API_VERSION:
            raise invalid_parameter(
                f"Invalid Stripe API version: {version[:40]}. This sandbox renders "
                f"{API_VERSION} only; set stripe_version to it.",
                None,
            )
        found = routes.find(request.method, request.path)
        if found is None:
            raise unrecognized_url(request.method, request.path)
        route, ids = found
        from_client = publishable.is_key(key)
        if from_client and not route.for_clients:
            raise publishable.refused()
        world = self._engine.world
        call = Call(world, given.get("Stripe-Account") or world.platform, {}, ids, request_id)
        call.key, call.publishable = key, from_client
        if call.connected:
            known = call.store.get(world.platform, "account", call.account)
            if known is None or is_revoked(call, call.account) or route.platform_only:
                raise no_access(call.account, key)
        call.reading = request.method == "GET"
        if call.reading:
            pairs = form.read_pairs(request.rel_url.raw_query_string.encode())
        else:
            pairs = form.read_pairs(await _read_body(request))
        if request.method == "POST":
            call.idempotency_key = given.get("Idempotency-Key") or None
        faults = self._engine.faults
        is_struck = bool(faults.rows) and given.get(SPARED) is None
        fault = faults.take(request.method, request.path) if is_struck else None
        exchange = Exchange(call, route, request.path, pairs, fault)
        if call.connected:
            exchange.headers["Stripe-Account"] = call.account
        return exchange

    async def _serve(self, exchange: Exchange) -> Stored:
        call, key = exchange.call, exchange.call.idempotency_key
        if key is None:
            return await self._perform(exchange)
        exchange.headers["Idempotency-Key"] = key
        keys = self._engine.keys
        stored = keys.begin(call.account, key, exchange.path, exchange.pairs, call.now)
        if stored is not None:
            await call.store.committed()
            exchange.headers["Idempotent-Replayed"] = "true"
            exchange.headers["Original-Request"] = stored.request_id
            return stored
        try:
            return await self._perform(exchange)
        finally:
            keys.release(call.account, key)

    async def _perform(self, exchange: Exchange) -> Stored:
        call, fault = exchange.call, exchange.fault
        try:
            if fault is not None and fault.action == "delay":
                await asyncio.sleep(fault.seconds)
            if fault is not None and fault.action == "answer":
                raise refusal(fault.status, call.idempotency_key)
            return await self._engine.run(call, lambda _: self._work(exchange))
        except StripeError as error:
            if error.stored and call.idempotency_key is not None:
                body = orjson.dumps(error.body(call.request_id or ""))
                refused = Stored(error.status, body, call.request_id or "")
                remember = Call(call.world, call.account, {})
                await self._engine.run(remember, lambda _: self._remember(exchange, refused))
            raise

    def _work(self, exchange: Exchange) -> Stored:
        call, route = exchange.call, exchange.route
        call.params = route.shape.parse(form.nest(exchange.pairs))
        paths = call.params.get("expand") or []
        if paths:
            expand.check(route.kind, paths, listed=route.listed)
        result = route.function(call)
        status, body = (result.status, result.body) if isinstance(result, Answer) else (200, result)
        if call.publishable:
            body = publishable.view(body)
        elif paths and status == 200:
            body = expand.expanded(call, body, paths)
        answer = Stored(status, orjson.dumps(body), call.request_id or "")
        self._remember(exchange, answer)
        return answer

    def _remember(self, exchange: Exchange, answer: Stored) -> None:
        call, key = exchange.call, exchange.call.idempotency_key
        if key is not None:
            self._engine.keys.store(
                call.account, key, exchange.path, exchange.pairs, answer, call.now
            )


def _key_in(header: str) -> str:
    """Return the key of a Bearer header, or the user name of HTTP Basic, as Stripe takes both."""
    scheme, _, given = header.partition(" ")
    if scheme == "Bearer":
        return given
    if scheme != "Basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[0]
    except ValueError:  # No base64, or no UTF-8.
        return ""


async def _read_body(request: web.BaseRequest) -> bytes:
    if request.content_type == "application/json":
        raise invalid_parameter(
            "Invalid request (check that your POST content type is "
            "application/x-www-form-urlencoded).",
            None,
        )
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise StripeError(413, "The request is too large.", stored=False) from None


async def _disturb(request: web.BaseRequest, fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.action == "hang":
        await asyncio.sleep(fault.seconds)
    elif fault.action == "drop" and request.transport is not None:
        request.transport.close()
