"""A browser without a screen: it keeps cookies, follows redirects, and fills in forms."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson
from yarl import URL

_FORM = re.compile(r"<form[^>]*>", re.IGNORECASE)
_ACTION = re.compile(r'action="([^"]*)"')
_FIELD = re.compile(r'<input[^>]*? name="([^"]+)"')


@dataclass(frozen=True)
class Page:
    """Where the browser is, and what it sees."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)

    @property
    def fields(self) -> set[str]:
        """The names of the form's fields; none where there is no form."""
        return set(_FIELD.findall(self.text)) if _FORM.search(self.text) else set()


class Browser:
    """`elsewhere` maps public base addresses to where they are served in truth."""

    def __init__(self, elsewhere: Mapping[str, str]) -> None:
        self._elsewhere = elsewhere
        self._jars: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []

    async def __aenter__(self) -> "Browser":
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    def cookies(self, url: str) -> dict[str, str]:
        """The cookies of the address's host. Ports make no difference to cookies."""
        return self._jars.setdefault(urlsplit(url).hostname or "", {})

    async def open(self, url: str, *, stop_at: str | None = None) -> Page:
        """Go to an address and wherever it leads; not beyond one that begins with `stop_at`."""
        return await self._go("GET", url, None, stop_at)

    async def submit(self, page: Page, *, stop_at: str | None = None, **fields: str) -> Page:
        """Send the page's form."""
        form = _FORM.search(page.text)
        assert form is not None, f"no form at {page.url}: {page.text[:300]}"
        action = _ACTION.search(form[0])
        target = urljoin(page.url, html.unescape(action[1]) if action else page.url)
        return await self._go("POST", target, fields, stop_at)

    async def fetch(self, method: str, url: str, **headers: str) -> Page:
        """A request that a script of a page makes, with the cookies, going nowhere."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._ask(method, url, None, named)

    async def _go(
        self, method: str, url: str, form: Mapping[str, str] | None, stop_at: str | None
    ) -> Page:
        for _ in range(20):
            page = await self._ask(method, url, form, {})
            if page.status not in (302, 303):
                return page
            url, method, form = urljoin(url, page.headers["Location"]), "GET", None
            if stop_at is not None and url.startswith(stop_at):
                return Page(url, page.status, page.headers, "")
        raise AssertionError(f"redirected without end: {self.visited[-6:]}")

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: dict[str, str]
    ) -> Page:
        self.visited.append(url)
        real = url
        for public, served in self._elsewhere.items():
            if url.startswith(public + "/"):
                real = served + url[len(public) :]
        jar = self.cookies(url)
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        headers.setdefault("User-Agent", "TestBrowser/1.0")
        if real != url:
            headers["Host"] = urlsplit(url).netloc
        async with self._session.request(
            method, URL(real, encoded=True), data=form, headers=headers, allow_redirects=False
        ) as response:
            for name, morsel in response.cookies.items():
                if morsel["max-age"] == "0" or "1970" in morsel["expires"] or not morsel.value:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
            return Page(url, response.status, response.headers, await response.text())
