"""People of a real Keycloak: another provider's idea of the standards than oidc-provider's."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.embedded.cache import Cache
from tests.edge.browser import Browser, Page
from tests.edge.conftest import stand
from tests.edge.login import EDGE, app_tokens
from tests.edge.stand import Served, Stand
from tests.engines import LoopThread
from tests.thirdparty import keycloak_server
from tests.thirdparty.keycloak_server import START_S_MAX, Keycloak, keycloak

__all__ = ["stand"]

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(START_S_MAX + 900)]
TRIES = 5
APP = "http://127.0.0.1:8421/callback"


@pytest.fixture(scope="module")
def server(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Keycloak]:
    """One start for all; where it cannot be had, tests fail."""
    installation = engine_loop.run(keycloak_server.build(Cache(engine_cache, print)))
    with keycloak(installation, tmp_path_factory.mktemp("keycloak")) as running:
        yield running


@pytest.fixture
async def edge(stand: Stand, server: Keycloak) -> AsyncIterator[Served]:
    async with stand.serve(url=EDGE, provider=server.settings) as served:
        yield served


@pytest.fixture
async def browser(edge: Served) -> AsyncIterator[Browser]:
    async with Browser({EDGE: edge.url}) as one:
        yield one


async def sign_in(server: Keycloak, browser: Browser, query: str = "") -> Page:
    """A provider that has just started may not answer in time: then the edge says 503."""
    for _ in range(TRIES):
        page = await browser.open(f"{EDGE}/v1/auth/login{query}")
        page = await server.answer(browser, page)
        if page.status != 503:
            break
    assert page.status == 200, page.text
    return page


async def tokens(server: Keycloak, browser: Browser, **changes: str) -> dict[str, str]:
    async def fill_in(page: Page) -> Page:
        return await server.answer(browser, page, stop_at=APP)

    endpoint = f"{server.issuer}/protocol/openid-connect"
    return await app_tokens(browser, f"{endpoint}/auth", f"{endpoint}/token", fill_in, changes)


async def test_a_person_signs_in_steps_up_with_one_factor_more_and_stays_the_same(
    server: Keycloak, browser: Browser, edge: Served
) -> None:
    weak = (await sign_in(server, browser)).json
    assert (weak["name"], weak["email"]) == ("Olga Owner", "owner@example.org")
    assert weak["is_strong"] is False
    assert weak["authenticated_at"] is not None
    page = await browser.open(f"{EDGE}/v1/auth/login?step_up=1")
    assert "otp" in page.fields and "password" not in page.fields
    strong = (await server.answer(browser, page)).json
    assert (strong["id"], strong["is_strong"]) == (weak["id"], True)
    # Its access tokens name the client in `azp` alone.
    answer = await edge.get("/v1/me", (await tokens(server, browser))["access_token"])
    assert (answer.status, answer.json["id"]) == (200, weak["id"])


async def test_what_is_no_access_token_for_this_api_is_refused(
    server: Keycloak, browser: Browser, edge: Served
) -> None:
    said = await tokens(server, browser)
    for token in (said["id_token"], said["refresh_token"], said["access_token"][:-4] + "AAAA"):
        answer = await edge.get("/v1/me", token)
        assert (answer.status, answer.code) == (401, "token_invalid")
    unscoped = (await tokens(server, browser, scope="openid"))["access_token"]
    assert (await edge.get("/v1/me", unscoped)).code == "scope_missing"


async def test_signing_out_names_keycloaks_page(server: Keycloak, browser: Browser) -> None:
    await sign_in(server, browser)
    page = await browser.fetch("POST", f"{EDGE}/v1/auth/logout", Origin=EDGE)
    assert page.json["provider_url"].startswith(f"{server.issuer}/protocol/openid-connect/logout?")
