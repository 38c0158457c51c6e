"""The pure rules of signing in: whose request it is, whose answer, and how long a session lives."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from edge.sessions.decisions import (
    AGE_MAX,
    IDLE_MAX,
    LOGIN_AGE_MAX,
    authorization_url,
    is_alive,
    is_answer_to,
    is_from_elsewhere,
    logout_url,
)
from edge.sessions.models import Login, StoredSession
from edge.tokens.models import Metadata
from tests.edge.issuer import ISSUER, NOW, SETTINGS

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ORIGIN = "https://give.example.org"
METADATA = Metadata(
    issuer=ISSUER,
    jwks_uri=f"{ISSUER}/jwks",
    authorization_endpoint=f"{ISSUER}/authorize?tenant=1",
    token_endpoint=f"{ISSUER}/token",
    userinfo_endpoint=None,
    end_session_endpoint=f"{ISSUER}/logout",
    client_authentication="none",
    names_itself=True,
)
LOGIN = Login(
    state="s", nonce="n", verifier=VERIFIER, return_to="/", is_step_up=False, begun_at=NOW
)
SESSION = StoredSession(
    id="ses_1",
    person="usr_1",
    authenticated_at=NOW,
    is_strong=False,
    agent=None,
    created_at=NOW,
    seen_at=NOW,
    expires_at=NOW + AGE_MAX,
    revoked_at=None,
)


@pytest.mark.parametrize(
    ("change", "after", "alive"),
    [
        ({}, timedelta(), True),
        ({}, IDLE_MAX - timedelta(seconds=1), True),
        ({}, IDLE_MAX, False),
        ({"seen_at": NOW + AGE_MAX}, AGE_MAX - timedelta(seconds=1), True),
        ({"seen_at": NOW + AGE_MAX}, AGE_MAX, False),
        ({"revoked_at": NOW}, timedelta(), False),
    ],
)
def test_a_session_lives_while_it_is_used_young_and_not_ended(
    change: dict[str, object], after: timedelta, alive: bool
) -> None:
    assert is_alive(replace(SESSION, **change), NOW + after) is alive  # type: ignore[arg-type] # a table


@pytest.mark.parametrize(
    ("method", "headers", "is_refused"),
    [
        ("GET", {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
        ("HEAD", {}, False),
        ("POST", {}, True),
        ("PATCH", {}, True),
        ("DELETE", {}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}, False),
        ("POST", {"Origin": ORIGIN}, False),
        ("POST", {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {"Sec-Fetch-Site": "none"}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {"Origin": "http://give.example.org"}, True),
        ("POST", {"Origin": f"{ORIGIN}:8443"}, True),
    ],
)
def test_a_write_that_another_site_may_have_sent_is_not_believed(
    method: str, headers: dict[str, str], is_refused: bool
) -> None:
    assert is_from_elsewhere(method, headers, ORIGIN) is is_refused


@pytest.mark.parametrize(
    ("query", "names_itself", "after", "belongs"),
    [
        ({"state": "s", "iss": ISSUER}, True, timedelta(), True),
        ({"state": "s", "iss": ISSUER}, False, timedelta(), True),
        ({"state": "s"}, False, timedelta(), True),
        ({"state": "s"}, True, timedelta(), False),
        ({"state": "s", "iss": ISSUER + "/"}, False, timedelta(), False),
        ({"state": "x", "iss": ISSUER}, True, timedelta(), False),
        ({"iss": ISSUER}, True, timedelta(), False),
        ({"state": "s", "iss": ISSUER}, True, LOGIN_AGE_MAX, True),
        ({"state": "s", "iss": ISSUER}, True, LOGIN_AGE_MAX + timedelta(seconds=1), False),
    ],
)
def test_an_answer_belongs_to_the_login_of_this_browser_and_of_this_provider(
    query: dict[str, str], names_itself: bool, after: timedelta, belongs: bool
) -> None:
    metadata = replace(METADATA, names_itself=names_itself)
    assert is_answer_to(LOGIN, query, metadata, NOW + after) is belongs


def test_the_browser_is_sent_with_pkce_and_a_step_up_asks_for_a_fresh_second_factor() -> None:
    def asked(*, is_step_up: bool) -> dict[str, list[str]]:
        url = authorization_url(
            METADATA,
            SETTINGS,
            replace(LOGIN, is_step_up=is_step_up),
            redirect=f"{ORIGIN}/v1/auth/callback",
            step_up_age_max=timedelta(minutes=5),
        )
        assert url.startswith(f"{ISSUER}/authorize?tenant=1&")
        return parse_qs(urlsplit(url).query)

    weak, strong = asked(is_step_up=False), asked(is_step_up=True)
    # The pair of RFC 7636 appendix B.
    assert weak["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert weak["code_challenge_method"] == ["S256"]
    assert (weak["state"], weak["nonce"], weak["response_type"]) == (["s"], ["n"], ["code"])
    assert ("acr_values" in weak, weak["max_age"]) == (False, ["604800"])
    assert (strong["acr_values"], strong["max_age"]) == (["mfa"], ["300"])
    assert [VERIFIER] not in weak.values()


def test_who_leaves_is_told_of_the_providers_page_if_it_has_one() -> None:
    url = logout_url(METADATA, SETTINGS, f"{ORIGIN}/")
    assert url is not None
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [SETTINGS.client_id],
        "post_logout_redirect_uri": [f"{ORIGIN}/"],
    }
    without = replace(METADATA, end_session_endpoint=None)
    assert logout_url(without, SETTINGS, f"{ORIGIN}/") is None
