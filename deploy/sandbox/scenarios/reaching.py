"""How a scenario reaches a running sandbox: Stripe's API and the control API."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import orjson

from deploy.sandbox.server import SPARED


class RefusedError(Exception):
    """The sandbox's no; `body` is Stripe's error."""

    def __init__(self, request: str, body: Mapping[str, Any]) -> None:
        self.error: Mapping[str, Any] = body.get("error") or {}
        super().__init__(f"{request}: {self.error.get('message')}")


class Stripe(Protocol):
    """The sandbox, with the rights of its key."""

    async def ask(
        self, method: str, path: str, account: str | None = None, /, **parameters: Any
    ) -> Any:
        """One request, of the API (`/v1/...`, Stripe's form names) or the control API
        (`/_sandbox/...`, JSON); its body. RefusedError at a 4xx or 5xx.
        """


class Client:
    """A sandbox at an address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url.rstrip("/")

    async def ask(
        self, method: str, path: str, account: str | None = None, /, **parameters: Any
    ) -> Any:
        """One request; see `Stripe`."""
        headers = {"Stripe-Account": account} if account else {}
        how: dict[str, Any] = {"data": parameters}
        if method == "GET":
            how = {"params": parameters}
        elif path.startswith("/_sandbox/"):
            how = {"json": parameters}
        url = self._url + path
        async with self._session.request(method, url, headers=headers, **how) as response:
            body = orjson.loads(await response.read())
        if response.status >= 400:
            raise RefusedError(f"{method} {path}", body)
        return body


@asynccontextmanager
async def open_client(url: str, key: str) -> AsyncIterator[Client]:
    """The sandbox at `url`."""
    headers = {"Authorization": f"Bearer {key}", SPARED: "story"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Client(session, url)


async def listed(stripe: Stripe, path: str, account: str, **query: Any) -> list[dict[str, Any]]:
    """All that a list has, oldest first."""
    found: list[dict[str, Any]] = []
    while True:
        page = await stripe.ask("GET", path, account, limit=100, **query)
        found += page["data"]
        if not page["has_more"]:
            return found[::-1]
        query["starting_after"] = found[-1]["id"]
