"""Stripe in this process: the sandbox's own application, asked without sockets, on a frozen clock.

The workers' `stripe` library reaches it through an HTTP client of its own; a dropped connection is
one there too. Time passes only when a history says so.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import orjson
import stripe
from multidict import CIMultiDict
from yarl import URL

from deploy.sandbox import calls
from deploy.sandbox.__main__ import open_world
from deploy.sandbox.control import Control
from deploy.sandbox.engine import Engine
from deploy.sandbox.faults import Faults
from deploy.sandbox.server import Server
from deploy.sandbox.store import Store
from tests.histories.post import Post

KEY = "sk_test_histories"
HOST = "http://sandbox.test"
#: When histories begin; the sandbox's clock adds to it what a history advances.
NOW_S = int(time.time())


class Request:
    """What the sandbox's server reads of a request; `dropped` when it hung up after the work."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method.upper()
        self.rel_url = URL(url, encoded=True).relative()
        self.path = self.rel_url.path
        self.headers = CIMultiDict(headers)
        self.content_type = self.headers.get("Content-Type", "").partition(";")[0]
        self.transport = self
        self.dropped = False
        self._body = body

    async def read(self) -> bytes:
        return self._body

    def close(self) -> None:
        self.dropped = True


class Sandbox:
    """One history's Stripe: an empty one, in memory."""

    def __init__(self) -> None:
        self.store = Store(Path(":memory:"), 0.0)
        self.faults = Faults()
        self.world = open_world(self.store, "DE", HOST)
        self.post = Post(self.world)
        self.engine = Engine(self.world, self.faults, self.post, KEY)  # type: ignore[arg-type]
        self._server = Server(self.engine)
        self._control = Control(self.engine)

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[bytes, int, Mapping[str, str]] | None:
        """One exchange; None when the sandbox hung up."""
        request: Any = Request(method, url, headers, body)
        handler = self._control if request.path.startswith("/_sandbox/") else self._server
        response: Any = await handler.handle(request)
        return None if request.dropped else (response.body, response.status, response.headers)

    async def ask(
        self, method: str, path: str, account: str | None = None, **parameters: Any
    ) -> Any:
        """What an outsider, a merchant or a donor, does at Stripe; no fault strikes them."""
        headers = {"Authorization": f"Bearer {KEY}"} | (
            {"Stripe-Account": account} if account else {}
        )
        body = b""
        if method == "GET":
            path += f"?{urlencode(parameters)}" if parameters else ""
        elif path.startswith("/_sandbox/"):
            body = orjson.dumps(parameters)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(parameters).encode()
        faults, self.faults.rows = self.faults.rows, []
        try:
            answer = await self.exchange(method, HOST + path, headers, body)
        finally:
            self.faults.rows = faults
        assert answer is not None
        found = orjson.loads(answer[0])
        if answer[1] >= 300:
            raise RefusedByStripeError(f"{method} {path}: {found}")
        return found

    async def control(self, what: str, **given: Any) -> Any:
        return await self.ask("POST", f"/_sandbox/{what}", **given)

    def objects(self, kind: str, account: str) -> list[dict[str, Any]]:
        """Every object of a kind on an account, in the order of their creation."""
        rows = self.store.database.execute(
            "SELECT body FROM objects WHERE kind = ? AND account = ? ORDER BY sequence",
            (kind, account),
        )
        return [orjson.loads(row[0]) for row in rows]

    def close(self) -> None:
        self.store.close()


class RefusedByStripeError(Exception):
    """What a step tried is not possible at Stripe as things stand: the step does nothing."""


class Client(stripe.HTTPClient):
    """The library's way to whichever sandbox is Stripe now."""

    name = "in-process"
    sandbox: Sandbox

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body = (post_data or "").encode()
        answer = await self.sandbox.exchange(method, url, headers, body)
        if answer is None:
            error: Any = stripe.APIConnectionError
            raise error("the sandbox hung up", should_retry=False)
        return answer

    async def close_async(self) -> None:
        return None


@contextmanager
def in_process() -> Iterator[Client]:
    """While this is open, whoever opens Stripe's library gets this client, and time is frozen."""
    client = Client()
    frozen = SimpleNamespace(time=lambda: float(NOW_S))
    with (
        patch.object(stripe, "AIOHTTPClient", lambda **_: client),
        patch.object(calls, "time", frozen),
    ):
        yield client
