"""A real oidc-provider beside the edge, and people who sign in through its pages."""

import base64
import hashlib
import json
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
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
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": demonstration.APP_CLIENT,
            "response_type": "code",
            "redirect_uri": demonstration.APP_REDIRECT,
            "scope": "openid amply",
            "resource": EDGE,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **({"acr_values": "mfa", "max_age": "300"} if is_step_up else {}),
            **changes,
        }
        given = {name: value for name, value in asked.items() if value}
        stop = demonstration.APP_REDIRECT
        url = f"{self.settings.issuer}/auth?{urlencode(given)}"
        page = await browser.open(url, stop_at=stop)
        if not page.url.startswith(stop):
            page = await answer(browser, page, who, stop_at=stop)
        assert "code=" in page.url, page.url + page.text
        form = {
            "grant_type": "authorization_code",
            "client_id": demonstration.APP_CLIENT,
            "code": parse_qs(urlsplit(page.url).query)["code"][0],
            "redirect_uri": demonstration.APP_REDIRECT,
            "code_verifier": verifier,
            **({"resource": given["resource"]} if "resource" in given else {}),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.settings.issuer}/token", data=form) as response,
        ):
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
