"""A real oidc-provider beside the edge, and people who sign in through its pages."""

import base64
import hashlib
import json
import secrets
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import aiohttp

from deploy.login import demonstration
from deploy.login.installation import SCRIPT, Installation
from deploy.ports import free_ports
from edge.tokens.models import ProviderSettings
from tests.edge.browser import Browser, Page

KEY = b"a key of demonstrations"
#: What the edge believes to be its address. It listens elsewhere, and browsers are told where.
EDGE = "http://127.0.0.1:8420"


@dataclass(frozen=True)
class Login:
    """A running provider."""

    port: int

    @property
    def settings(self) -> ProviderSettings:
        return ProviderSettings(
            issuer=demonstration.issuer_of(self.port),
            client_id=demonstration.WEB_CLIENT,
            client_secret=demonstration.client_secret(KEY),
            audience=EDGE,
            allows_plain_http=True,
        )

    async def sign_in(
        self, browser: Browser, who: str = "owner", query: str = "", *, fault: str = ""
    ) -> Page:
        """Through all pages, with whatever each asks for; `fault` is typed after each secret."""
        page = await browser.open(f"{EDGE}/v1/auth/login{query}")
        return await answer(browser, page, who, fault=fault)

    async def tokens(
        self, browser: Browser, who: str = "owner", *, is_step_up: bool = False, **changes: str
    ) -> dict[str, str]:
        """What a program of the person gets: an access token for the edge, an ID token."""

        async def fill_in(page: Page) -> Page:
            return await answer(browser, page, who, stop_at=demonstration.APP_REDIRECT)

        issuer = self.settings.issuer
        step_up = {"acr_values": "mfa", "max_age": "300"} if is_step_up else {}
        asked = {"resource": EDGE, **step_up, **changes}
        return await app_tokens(browser, f"{issuer}/auth", f"{issuer}/token", fill_in, asked)


async def app_tokens(
    browser: Browser,
    authorize: str,
    token: str,
    fill_in: Callable[[Page], Awaitable[Page]],
    changes: Mapping[str, str],
) -> dict[str, str]:
    """Tokens for a public client by code and PKCE; a change to "" leaves a parameter out."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "client_id": demonstration.APP_CLIENT,
        "response_type": "code",
        "redirect_uri": demonstration.APP_REDIRECT,
        "scope": "openid amply",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **changes,
    }
    given = {name: value for name, value in asked.items() if value}
    stop = demonstration.APP_REDIRECT
    page = await browser.open(f"{authorize}?{urlencode(given)}", stop_at=stop)
    if not page.url.startswith(stop):
        page = await fill_in(page)
    assert "code=" in page.url, page.url + page.text
    form = {
        "grant_type": "authorization_code",
        "client_id": demonstration.APP_CLIENT,
        "code": parse_qs(urlsplit(page.url).query)["code"][0],
        "redirect_uri": stop,
        "code_verifier": verifier,
        **({"resource": given["resource"]} if "resource" in given else {}),
    }
    async with aiohttp.ClientSession() as session, session.post(token, data=form) as response:
        said: dict[str, str] = await response.json()
    assert response.status == 200, said
    return said


async def answer(
    browser: Browser, page: Page, who: str, *, fault: str = "", stop_at: str | None = None
) -> Page:
    """Fill in what the provider's page asks for."""
    known = {
        "username": who,
        "password": demonstration.password_of(KEY, who) + fault,
        "code": demonstration.code_of(KEY, who) + fault,
    }
    if not page.fields:
        return page
    given = {name: known[name] for name in page.fields if name in known}
    return await browser.submit(page, stop_at=stop_at, **given)


@contextmanager
def provider(installation: Installation, folder: Path, port: int | None = None) -> Iterator[Login]:
    """Run it until the end of the block."""
    [port] = [port] if port else free_ports(1)
    settings = folder / "login.json"
    settings.write_text(json.dumps(demonstration.provider_settings(KEY, port=port, url=EDGE)))
    with (folder / "login.log").open("ab") as log:
        process = subprocess.Popen(
            [installation.node, SCRIPT, settings, installation.modules],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(process, f"{demonstration.issuer_of(port)}/jwks", folder / "login.log")
        yield Login(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path, within_s: float = 60) -> None:
    """Until the address answers; with the log's end when it does not."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            said = log.read_text(errors="replace")[-2000:]
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)


CALLBACK = f"{EDGE}/v1/auth/callback"
COOKIE = "amply_session"
ME = f"{EDGE}/v1/me"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def begin(browser: Browser, query: str = "") -> str:
    """The address at the provider that a login sends the browser to."""
    page = await browser.open(f"{EDGE}/v1/auth/login{query}", stop_at="http://localhost")
    return page.url


async def come_back(browser: Browser, query: str = "", who: str = "owner") -> str:
    """The callback's address with a code that was not used yet."""
    page = await browser.open(f"{EDGE}/v1/auth/login{query}", stop_at=CALLBACK)
    if not page.url.startswith(CALLBACK):
        page = await answer(browser, page, who, stop_at=CALLBACK)
    return page.url
