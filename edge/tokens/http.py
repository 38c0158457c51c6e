"""Requests to the provider: https, short deadlines, bounded answers, no redirects."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from edge.tokens.models import ProviderAwayError
from topics.connections.outside import outside_connector

DEADLINE_S: Final = 5.0
BYTES_MAX: Final = 256 * 1024
#: More would only queue at the provider: callbacks can be asked for by anyone.
AT_ONCE_MAX: Final = 16
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its JSON; None where it is no JSON."""

    status: int
    json: Any


class Fetch(Protocol):
    """GET, or POST when there is a form. ProviderAwayError when no answer comes in time."""

    async def __call__(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        authorization: str | None = None,
    ) -> Answer: ...


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def is_safe(url: object, *, allows_plain_http: bool) -> bool:
    """Whether secrets may go to this address: https, or this machine where that is allowed."""
    if not isinstance(url, str) or len(url) > 2_000:
        return False
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    if not has_host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and allows_plain_http and is_loopback(url)
    )


class Http:
    """One session, opened in the loop that uses it.

    The operator chose the issuer's host. What its discovery names beside it must lie outside, so
    that a provider in other hands is no way into our network.
    """

    def __init__(self, issuer: str) -> None:
        self._chosen = frozenset({urlsplit(issuer).hostname or ""})
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    def start(self) -> None:
        """Nothing yet: the session opens with the first request."""

    async def close(self) -> None:
        """Close the connections that are kept."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        authorization: str | None = None,
    ) -> Answer:
        """See Fetch."""
        headers = {"Accept": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=outside_connector(chosen=self._chosen),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with (
                asyncio.timeout(DEADLINE_S),
                self._turns,
                self._session.request(
                    "GET" if form is None else "POST",
                    url,
                    data=form,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                body = await _bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderAwayError(type(error).__name__) from error
        try:
            return Answer(response.status, orjson.loads(body))
        except orjson.JSONDecodeError:
            return Answer(response.status, None)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BYTES_MAX:
            raise ProviderAwayError("the answer is too large")
    return bytes(body)
