"""Stripe's own stripe-mock: built with Go, run on loopback, asked through the official library.

It holds nothing, and answers with fixtures; but it refuses each request that Stripe's OpenAPI
document does not describe, parameter by parameter.
"""

import asyncio
import json
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe

from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.fetch import MEBIBYTE
from deploy.ports import free_ports
from tests.thirdparty.tools import find_go, run_go
from workers.gateways.stripe_gateway import API_VERSION, StripeGateway
from workers.gateways.stripe_limits import Limits, StripeLimits

#: The release whose document is of the API version that we pin.
STRIPE_MOCK = "github.com/stripe/stripe-mock@v0.203.0"
KEY = "sk_test_123"
START_S_MAX = 60


async def build(cache: Cache) -> Path:
    """The program, from the cache or built into it now; FetchError when that cannot be done."""
    go = await asyncio.to_thread(find_go)

    async def install(partial: Path) -> None:
        await run_go(cache, go, partial, "install", STRIPE_MOCK)

    name = f"thirdparty-stripe-mock-{digest_of(STRIPE_MOCK, sys.platform, platform.machine())}"
    return await cache.ensure(name, "stripe-mock", 40 * MEBIBYTE, install) / "stripe-mock"


@contextmanager
def running(program: Path, folder: Path) -> Iterator[str]:
    """Its address; its log is in `folder`."""
    [port] = free_ports(1)
    log_path = folder / "stripe-mock.log"
    command = [str(program), "-http-addr", f"127.0.0.1:{port}", "-strict-version-check"]
    with log_path.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < deadline, "stripe-mock does not listen"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it."""

    method: str
    url: str
    sent: str
    status: int
    said: Any


class NotingClient(stripe.AIOHTTPClient):
    """The official library's client; keeps what it exchanged."""

    def __init__(self) -> None:
        super().__init__(timeout=30)
        self.exchanges: list[Exchange] = []

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> Any:
        content, status, answered = await super().request_async(method, url, headers, post_data)
        said = json.loads(content)
        self.exchanges.append(Exchange(method, url, str(post_data or ""), status, said))
        return content, status, answered


def gateway_at(url: str, client: NotingClient) -> StripeGateway:
    """The gateway that workers open, at another address, through `client`."""
    return StripeGateway(
        stripe.StripeClient(
            KEY,
            stripe_version=API_VERSION,
            http_client=client,
            max_network_retries=0,
            base_addresses={"api": url},
        ),
        StripeLimits(Limits()),
    )
