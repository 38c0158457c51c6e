"""People sign in with a browser, through the pages of a real oidc-provider."""

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.login import demonstration
from tests.edge.browser import Browser
from tests.edge.login import EDGE, Login, answer
from tests.edge.stand import Served, Stand

pytestmark = pytest.mark.asyncio

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


async def test_signing_in_gives_a_fresh_session_and_ends_the_old_one(
    browser: Browser, login: Login
) -> None:
    await login.sign_in(browser)
    old = browser.cookies(EDGE)[COOKIE]
    await login.sign_in(browser)
    assert browser.cookies(EDGE)[COOKIE] != old
    browser.cookies(EDGE)[COOKIE] = old
    assert (await browser.open(ME)).json["code"] == "session_ended"


async def test_a_planted_session_is_not_taken_over(browser: Browser, login: Login) -> None:
    browser.cookies(EDGE)[COOKIE] = "A" * 43
    await login.sign_in(browser)
    assert browser.cookies(EDGE)[COOKIE] != "A" * 43


@pytest.mark.parametrize("value", ["A" * 43, "A", "A" * 3000, "'; DROP TABLE x", "a%00b"])
async def test_a_made_up_session_is_nobody(browser: Browser, value: str) -> None:
    browser.cookies(EDGE)[COOKIE] = value
    page = await browser.open(ME)
    assert page.status == 401
    assert "Bearer" in page.headers["WWW-Authenticate"]


async def test_signing_out_ends_the_session_at_once_and_names_the_providers_page(
    browser: Browser, login: Login
) -> None:
    await login.sign_in(browser)
    secret = browser.cookies(EDGE)[COOKIE]
    page = await browser.fetch("POST", f"{EDGE}/v1/auth/logout", Origin=EDGE)
    assert page.status == 200
    assert page.json["provider_url"].startswith(f"{login.settings.issuer}/session/end?")
    assert COOKIE not in browser.cookies(EDGE)
    browser.cookies(EDGE)[COOKIE] = secret
    assert (await browser.open(ME)).json["code"] == "session_ended"


WRITE = ("DELETE", f"{ME}/sessions")


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "same-origin", "Origin": EDGE}, True),
        ({"Origin": EDGE}, True),
        ({}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": f"{EDGE}.evil.example"}, False),
        ({"Origin": "http://127.0.0.1:8421"}, False),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "https://evil.example"}, False),
        ({"Referer": EDGE}, False),
    ],
)
async def test_a_write_by_cookie_must_come_from_our_own_pages(
    browser: Browser, login: Login, headers: dict[str, str], is_taken: bool
) -> None:
    await login.sign_in(browser)
    page = await browser.fetch(*WRITE, **headers)
    if is_taken:
        assert page.status == 200
    else:
        assert (page.status, page.json["code"]) == (403, "cross_site_request")
        assert (await browser.open(ME)).status == 200


async def test_a_person_sees_and_ends_own_sessions_and_nobody_elses(
    browser: Browser, login: Login, open_edge: Served
) -> None:
    mine = (await login.sign_in(browser)).json["session"]
    async with (
        Browser({EDGE: open_edge.url}) as phone,
        Browser({EDGE: open_edge.url}) as other,
    ):
        there = (await login.sign_in(phone)).json["session"]
        theirs = (await login.sign_in(other, "finance")).json["session"]
        listed = (await browser.open(f"{ME}/sessions")).json["data"]
        alive = {one["id"]: one for one in listed if one["revoked_at"] is None}
        assert {mine, there} <= alive.keys() and theirs not in alive
        assert [one for one in alive if alive[one]["is_current"]] == [mine]
        assert alive[there]["agent"] == "TestBrowser/1.0"
        for unknown in (theirs, "ses_" + "0" * 26, "x"):
            page = await browser.fetch("DELETE", f"{ME}/sessions/{unknown}", Origin=EDGE)
            assert (page.status, page.json["code"]) == (404, "session_not_found")
        ended = await browser.fetch("DELETE", f"{ME}/sessions/{there}", Origin=EDGE)
        assert ended.json["revoked_at"] is not None
        assert (await phone.open(ME)).json["code"] == "session_ended"
        assert (await other.open(ME)).status == 200
        everything = await browser.fetch("DELETE", f"{ME}/sessions", Origin=EDGE)
        assert all(one["revoked_at"] for one in everything.json["data"])
        assert COOKIE not in browser.cookies(EDGE)


@pytest.mark.parametrize(
    "aging",
    [
        "seen_at = now() - interval '8 hours'",
        "created_at = created_at - interval '8 days', expires_at = now()",
    ],
)
async def test_a_session_ends_by_idleness_and_by_age(
    browser: Browser, login: Login, stand: Stand, aging: str
) -> None:
    session = (await login.sign_in(browser)).json["session"]
    await stand.fetch(f"UPDATE edge.sessions SET {aging} WHERE id = $1", session)
    assert (await browser.open(ME)).json["code"] == "session_ended"


async def test_use_keeps_a_session_alive(browser: Browser, login: Login, stand: Stand) -> None:
    session = (await login.sign_in(browser)).json["session"]
    await stand.fetch(
        "UPDATE edge.sessions SET seen_at = now() - interval '7 hours 59 minutes' WHERE id = $1",
        session,
    )
    assert (await browser.open(ME)).status == 200
    [row] = await stand.fetch(
        "SELECT now() - seen_at < interval '1 minute' AS is_new FROM edge.sessions WHERE id = $1",
        session,
    )
    assert row["is_new"]


async def test_cookies_are_closed_to_scripts_and_other_sites(open_edge: Served) -> None:
    answer = await open_edge.ask("GET", "/v1/auth/login", allow_redirects=False)
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie


async def test_by_https_cookies_are_bound_to_this_very_host(stand: Stand, login: Login) -> None:
    async with stand.serve(url="https://give.example.org", provider=login.settings) as served:
        answer = await served.ask("GET", "/v1/auth/login", allow_redirects=False)
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-amply_login=")
        assert "Secure" in cookie and "Domain" not in cookie


async def test_the_tables_hold_neither_secrets_nor_people(
    browser: Browser, login: Login, stand: Stand
) -> None:
    await login.sign_in(browser)
    secret = browser.cookies(EDGE)[COOKIE]
    for table in ("edge.people", "edge.sessions"):
        rows = await stand.fetch(f"SELECT t::text AS text FROM {table} t")
        assert rows
        for needle in (secret, "owner", "Olga", "TestBrowser", "demonstration"):
            for shown in (needle, needle.encode().hex()):
                assert not [row for row in rows if shown in row["text"]], (table, needle)


async def test_many_first_sights_at_once_make_one_person(
    open_edge: Served, login: Login, stand: Stand
) -> None:
    async def enter() -> Any:
        async with Browser({EDGE: open_edge.url}) as browser:
            return (await login.sign_in(browser, "viewer")).json["id"]

    assert len(set(await asyncio.gather(*(enter() for _ in range(6))))) == 1


async def test_a_forgotten_person_is_signed_out_and_comes_back_as_somebody_new(
    browser: Browser, login: Login, stand: Stand
) -> None:
    before = (await login.sign_in(browser, "auditor")).json["id"]
    await stand.fetch("SELECT edge.forget_person($1)", before)
    assert (await browser.open(ME)).json["code"] == "session_ended"
    after = (await login.sign_in(browser, "auditor")).json["id"]
    assert after != before
    [row] = await stand.fetch("SELECT * FROM edge.people WHERE id = $1", before)
    assert (row["wrapped_key"], row["profile"], row["email_hash"]) == (None, None, None)


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
