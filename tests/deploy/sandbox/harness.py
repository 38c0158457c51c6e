"""A sandbox process, a receiver of its webhooks, and a `stripe` client that checks every body."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import stripe
from aiohttp import web
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[3]
KEY = "sk_test_sandboxTests0123456789"
API_VERSION = "2026-08-26.dahlia"
DEADLINE_S = 20.0
SCHEMA = json.loads(Path(__file__).with_name("stripe_schema.json").read_text())


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def check_body(body: Any) -> None:
    """Fail unless `body` is what Stripe's published schema says, nested event objects included."""
    if "error" in body:
        validator("error").validate(body)
        return
    kind = body["object"]
    if kind in ("list", "search_result"):
        assert set(body) >= {"data", "has_more", "url"}
        for item in body["data"]:
            check_body(item)
        return
    if body.get("deleted"):
        kind = f"deleted_{kind}"
    validator(kind).validate(body)
    if kind == "event":
        check_body(body["data"]["object"])


class CheckingClient(stripe.AIOHTTPClient):
    """The official async HTTP client; every answer is checked and the last one kept."""

    last_status = 0
    last_headers: Mapping[str, str]
    last_body: Any = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> Any:
        content, status, answered = await super().request_async(method, url, headers, post_data)
        self.last_status, self.last_headers = status, answered
        self.last_body = json.loads(content)
        check_body(self.last_body)
        return content, status, answered


class Shop:
    """A client of one sandbox and the connected account it charges."""

    def __init__(
        self, sandbox: "Sandbox", retries: int = 0, key: str = KEY, timeout_s: float = 30.0
    ) -> None:
        self.http = CheckingClient(timeout=timeout_s)
        self.client = stripe.StripeClient(
            key,
            base_addresses={"api": sandbox.url},
            http_client=self.http,
            stripe_version=API_VERSION,
            max_network_retries=retries,
        )
        self.api = self.client.v1
        self.account = ""
        self.sandbox = sandbox

    async def open_account(self, country: str = "DE", **changes: Any) -> str:
        await self.create_account(country, **changes)
        self.sandbox.control("POST", f"accounts/{self.account}/onboard")
        return self.account

    async def create_account(self, country: str = "DE", **changes: Any) -> stripe.Account:
        """Create an account that nobody has onboarded."""
        params: Any = {
            "country": country,
            "capabilities": {"card_payments": {"requested": True}},
            "controller": {
                "fees": {"payer": "account"},
                "losses": {"payments": "stripe"},
                "requirement_collection": "stripe",
                "stripe_dashboard": {"type": "full"},
            },
            **changes,
        }
        account = await self.api.accounts.create_async(params)
        self.account = account.id
        return account

    async def close(self) -> None:
        await self.http.close_async()  # type: ignore[no-untyped-call]  # the library has no type here

    def on_account(self, **options: Any) -> Any:
        return {"stripe_account": self.account, **options}

    async def give(
        self, card: str = "pm_card_visa", key: str | None = None, **params: Any
    ) -> stripe.PaymentIntent:
        """Create and confirm a payment on the connected account."""
        options = {"idempotency_key": key} if key else {}
        return await self.api.payment_intents.create_async(
            payment_parameters(card, **params), self.on_account(**options)
        )

    async def endpoint(self, url: str, *types: str, **params: Any) -> stripe.WebhookEndpoint:
        asked: Any = {"url": url, "enabled_events": list(types), "connect": True, **params}
        return await self.api.webhook_endpoints.create_async(asked)


def payment_parameters(card: str = "pm_card_visa", **params: Any) -> Any:
    return {
        "amount": 5000,
        "currency": "eur",
        "confirm": True,
        "payment_method": card,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        **params,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sandbox:
    """A sandbox in a process of its own; the same port and data after a restart."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--data", str(self.data), *self.options]
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "sandbox.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.sandbox", *arguments],
                cwd=ROOT,
                env=os.environ | {"AMPLY_STRIPE_KEY": KEY},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_sandbox/health", timeout=2).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.data / "sandbox.log").read_text()
                assert time.monotonic() < deadline, "the sandbox does not answer"
                time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE_S)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API; returns its JSON, with the status of a refusal as `status`."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read()) | {"status": error.code}

    def fault(self, method: str, action: str, **details: Any) -> None:
        answer = self.control("POST", "faults", {"method": method, "action": action, **details})
        assert "error" not in answer, answer


class Receiver:
    """Takes webhooks on loopback; answers `status`; keeps (signature, raw body)."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/webhooks"
        self.status = 200
        self.received: list[tuple[str, bytes]] = []
        self._arrived = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._take))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if self.status == 200:
            self.received.append((request.headers["Stripe-Signature"], body))
        self._arrived.set()
        return web.Response(status=self.status)

    @property
    def events(self) -> list[Any]:
        return [json.loads(body) for _, body in self.received]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def wait(self, ready: Callable[["Receiver"], bool]) -> None:
        """Return when `ready`; fails after a deadline, showing what came."""
        deadline = time.monotonic() + DEADLINE_S
        while not ready(self):
            remaining = deadline - time.monotonic()
            assert remaining > 0, f"only {self.types()} arrived"
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), min(remaining, 0.5))
            except TimeoutError:
                continue

    async def wait_for(self, count: int) -> None:
        await self.wait(lambda receiver: len(receiver.received) >= count)
