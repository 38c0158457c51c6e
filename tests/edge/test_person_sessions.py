"""Sessions of people who signed in: fresh, bound to their browser, seen and ended."""

import asyncio
from typing import Any

import pytest

from tests.edge.browser import Browser
from tests.edge.login import COOKIE, EDGE, ME, Login
from tests.edge.stand import Served, Stand

pytestmark = pytest.mark.asyncio


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
