"""People sign in with a browser, through the pages of a real oidc-provider."""

from dataclasses import replace

import pytest

from deploy.login import demonstration
from tests.edge.browser import Browser
from tests.edge.login import CALLBACK, COOKIE, EDGE, ME, Login, answer, begin, come_back, query_of
from tests.edge.stand import Served, Stand

pytestmark = pytest.mark.asyncio


async def test_a_person_signs_in_and_is_who_the_provider_says(
    browser: Browser, login: Login, stand: Stand
) -> None:
    page = await login.sign_in(browser)
    assert (page.url, page.status) == (ME, 200)
    me = page.json
    assert me["id"].startswith("usr_")
    assert (me["name"], me["email"]) == ("Olga Owner", "owner@amply.localhost")
    assert me["session"].startswith("ses_")
    assert me["is_strong"] is False
    assert me["authenticated_at"] is not None


async def test_the_same_person_comes_back_as_the_same_person_and_another_as_another(
    open_edge: Served, login: Login
) -> None:
    found = []
    for who in ("owner", "owner", "finance"):
        async with Browser({EDGE: open_edge.url}) as browser:
            found.append((await login.sign_in(browser, who)).json["id"])
    assert found[0] == found[1] != found[2]


async def test_the_provider_is_asked_with_pkce_state_and_nonce(browser: Browser) -> None:
    asked = query_of(await begin(browser))
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == CALLBACK
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    # Asked for an age, a provider tells when the person signed in (OpenID Connect Core 1.0).
    assert (asked.get("acr_values"), asked["max_age"]) == (None, "604800")
    again = query_of(await begin(browser))
    assert all(again[name] != asked[name] for name in ("state", "nonce", "code_challenge"))


async def test_a_step_up_asks_for_the_second_factor_only_and_makes_the_session_strong(
    browser: Browser, login: Login
) -> None:
    weak = (await login.sign_in(browser)).json
    page = await browser.open(f"{EDGE}/v1/auth/login?step_up=1")
    assert page.fields == {"code"}
    strong = (await answer(browser, page, "owner")).json
    assert strong["id"] == weak["id"]
    assert strong["is_strong"] is True
    assert strong["session"] != weak["session"]
    listed = (await browser.open(f"{ME}/sessions")).json["data"]
    ended = {one["id"]: one["revoked_at"] is not None for one in listed}
    assert ended[weak["session"]] and not ended[strong["session"]]


async def test_a_step_up_says_what_it_wants_by_acr_and_age(browser: Browser) -> None:
    asked = query_of(await begin(browser, "?step_up=1"))
    assert (asked["acr_values"], asked["max_age"]) == ("mfa", "300")


async def test_a_provider_that_asks_for_no_second_factor_gives_no_strong_session(
    stand: Stand, login: Login
) -> None:
    settings = replace(login.settings, step_up=("gold",))
    async with (
        stand.serve(url=EDGE, provider=settings) as served,
        Browser({EDGE: served.url}) as browser,
    ):
        page = await login.sign_in(browser, query="?step_up=1")
        assert (page.status, page.json["code"]) == (403, "step_up_not_given")
        assert COOKIE not in browser.cookies(EDGE)


async def test_wrong_secrets_do_not_sign_in(browser: Browser, login: Login) -> None:
    page = await login.sign_in(browser, fault="x")
    assert page.status == 403
    assert page.fields == {"username", "password"}
    assert COOKIE not in browser.cookies(EDGE)


@pytest.mark.parametrize("query", ["", "?return_to=/v1/me/sessions"])
async def test_the_browser_returns_to_a_path_of_this_host(
    browser: Browser, login: Login, query: str
) -> None:
    page = await login.sign_in(browser, query=query)
    assert page.url == EDGE + (query.partition("=")[2] or "/v1/me")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%5C%5Cevil.example/..%5C\\",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil",
        "",
        "/a%0d%0aSet-Cookie:x=y",
        "/" + "a" * 600,
    ],
)
async def test_no_return_leads_to_another_host(browser: Browser, target: str) -> None:
    page = await browser.open(f"{EDGE}/v1/auth/login?return_to={target}")
    if page.status == 422:
        assert page.json["code"] == "query_not_accepted"
    else:
        pytest.fail(f"went to {page.url}")


async def test_a_callback_in_another_browser_is_refused(
    browser: Browser, open_edge: Served
) -> None:
    """Login CSRF: an attacker gives a victim the address with the attacker's own code."""
    url = await come_back(browser)
    async with Browser({EDGE: open_edge.url}) as victim:
        assert (await victim.open(url)).json["code"] == "login_expired"
        await begin(victim)
        assert (await victim.open(url)).json["code"] == "login_expired"
        assert COOKIE not in victim.cookies(EDGE)


async def test_a_code_serves_once(browser: Browser) -> None:
    url = await come_back(browser)
    kept = dict(browser.cookies(EDGE))
    assert (await browser.open(url)).status == 200
    assert (await browser.open(url)).json["code"] == "login_expired"  # The cookie is gone.
    browser.cookies(EDGE).update(kept)
    assert (await browser.open(url)).json["code"] == "login_refused"  # The provider says no.


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("state=", "state=x"), "login_expired"),
        (("iss=http%3A%2F%2Flocalhost", "iss=https%3A%2F%2Fevil.example"), "login_expired"),
        (("&iss=", "&issue="), "login_expired"),
        (("code=", "code=x"), "login_refused"),
        (("code=", "coda="), "login_refused"),
        (("code=", "error=access_denied&code="), "login_refused"),
    ],
)
async def test_a_changed_callback_is_refused(
    browser: Browser, change: tuple[str, str], code: str
) -> None:
    url = await come_back(browser)
    assert change[0] in url
    page = await browser.open(url.replace(*change))
    assert (page.status >= 400, page.json["code"]) == (True, code)
    assert COOKIE not in browser.cookies(EDGE)


async def test_a_login_cookie_that_was_changed_is_no_login(browser: Browser) -> None:
    url = await come_back(browser)
    for value in ("", "x", "AAAA" * 40, "ü"[:0] + "%%%"):
        browser.cookies(EDGE)["amply_login"] = value
        assert (await browser.open(url)).json["code"] == "login_expired"


async def test_without_a_provider_nobody_signs_in_and_nothing_else_changes(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register()
    for path in ("/v1/auth/login", "/v1/auth/callback?code=x&state=y"):
        assert (await edge.get(path)).code == "sign_in_not_offered"
    assert (await edge.get("/v1/me", Cookie=f"{COOKIE}={'A' * 43}")).code == "unauthenticated"
    assert (await edge.get("/v1/me", registered.key.secret)).code == "scope_missing"


async def test_demonstration_secrets_differ_from_person_to_person() -> None:
    key = b"k"
    names = [role.username for role in demonstration.ROLES]
    assert len({demonstration.password_of(key, name) for name in names}) == len(names)
    assert len({demonstration.code_of(key, name) for name in names}) == len(names)
