"""Programs of people: access tokens of a real oidc-provider at the real gate."""

import secrets
from pathlib import Path

import pytest

from contracts.permissions import RelationshipChange
from deploy.embedded.cache import Cache
from deploy.login.installation import ensure_provider
from tests.edge import issuer
from tests.edge.browser import Browser
from tests.edge.login import EDGE, Login, provider
from tests.edge.stand import Answer, Served, Stand
from tests.engines import LoopThread

pytestmark = pytest.mark.asyncio


async def grant(stand: Stand, person: str, relation: str, organization: str) -> None:
    await stand.change_permissions(
        (
            RelationshipChange(
                operation="touch",
                resource=f"organization:{organization}",
                relation=relation,
                subject=f"user:{person}",
            ),
        )
    )


async def me(served: Served, token: str) -> Answer:
    return await served.get("/v1/me", token)


async def open_account(served: Served, token: str, organization: str) -> Answer:
    """An operation that needs a step-up."""
    return await served.ask(
        "POST",
        f"/v1/organizations/{organization}/stripe-account",
        json={"country": "DE"},
        headers={
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": secrets.token_hex(8),
            "Prefer": "wait=0",
        },
    )


async def test_a_token_is_its_person_also_in_the_browser(
    browser: Browser, login: Login, open_edge: Served
) -> None:
    token = (await login.tokens(browser))["access_token"]
    answer = await me(open_edge, token)
    assert answer.status == 200
    assert answer.json["session"] is None
    page = await login.sign_in(browser)
    assert page.json["id"] == answer.json["id"]


async def test_a_person_may_what_their_role_allows_in_the_organization_named_and_no_other(
    browser: Browser, login: Login, open_edge: Served, stand: Stand
) -> None:
    token = (await login.tokens(browser, "finance"))["access_token"]
    person = (await me(open_edge, token)).json["id"]
    own, other = await stand.register(), await stand.register()
    await grant(stand, person, "finance", own.id)
    assert (await open_edge.get(f"/v1/organizations/{own.id}/payouts", token)).status == 200
    refused = await open_edge.get(f"/v1/organizations/{other.id}/payouts", token)
    assert (refused.status, refused.code) == (404, "organization_not_found")


async def test_a_sensitive_operation_asks_for_a_step_up_and_takes_it(
    browser: Browser, login: Login, open_edge: Served, stand: Stand
) -> None:
    weak = (await login.tokens(browser))["access_token"]
    own = await stand.register(stripe_account=None)
    await grant(stand, (await me(open_edge, weak)).json["id"], "owner", own.id)
    refused = await open_account(open_edge, weak, own.id)
    assert (refused.status, refused.code) == (401, "step_up_needed")
    challenge = refused.headers["WWW-Authenticate"]
    for part in (
        'error="insufficient_user_authentication"',
        'acr_values="mfa"',
        'max_age="300"',
    ):
        assert part in challenge
    strong = (await login.tokens(browser, is_step_up=True))["access_token"]
    assert (await open_account(open_edge, strong, own.id)).status == 202


async def test_an_old_step_up_serves_no_more(
    browser: Browser, login: Login, open_edge: Served, stand: Stand
) -> None:
    session = (await login.sign_in(browser, query="?step_up=1")).json
    own = await stand.register(stripe_account=None)
    await grant(stand, session["id"], "owner", own.id)

    async def attempt() -> int:
        page = await browser.fetch(
            "POST",
            f"{EDGE}/v1/organizations/{own.id}/stripe-account/links",
            Origin=EDGE,
        )
        return page.status

    assert await attempt() not in (401, 403)
    await stand.fetch(
        "UPDATE edge.sessions SET authenticated_at = now() - interval '301 seconds' WHERE id = $1",
        session["session"],
    )
    assert await attempt() == 401


async def test_other_tokens_of_the_same_provider_are_refused_without_a_reason(
    browser: Browser, login: Login, open_edge: Served
) -> None:
    said = await login.tokens(browser)
    for_nobody = await login.tokens(browser, resource="", scope="openid")
    for token in (
        said["id_token"],
        said["access_token"][:-4] + "AAAA",
        issuer.sign(issuer.now_claims(), kid="none-such").decode(),
        issuer.forge({"alg": "none", "typ": "at+jwt"}, issuer.now_claims(), b"x").decode(),
    ):
        answer = await me(open_edge, token)
        assert (answer.status, answer.code) == (401, "token_invalid")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="amply", error="invalid_token"'
        assert answer.json["detail"] == "Get a fresh one for this API, and send that."
    opaque = await me(open_edge, for_nobody["access_token"])
    assert (opaque.status, opaque.code) == (401, "unauthenticated")


async def test_a_token_without_our_scope_opens_nothing(
    browser: Browser, login: Login, open_edge: Served
) -> None:
    token = (await login.tokens(browser, scope="openid"))["access_token"]
    assert (await me(open_edge, token)).code == "scope_missing"


async def test_a_cookie_does_not_help_a_bad_token(
    browser: Browser, login: Login, open_edge: Served
) -> None:
    await login.sign_in(browser)
    for header in ("Bearer nonsense", "Basic eDp5", "Bearer a.b.c", ""):
        page = await browser.fetch("GET", f"{EDGE}/v1/me", Authorization=header)
        assert page.status == 401


async def test_keys_rotate_and_known_ones_serve_while_the_provider_is_away(
    stand: Stand,
    engine_loop: LoopThread,
    engine_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.tokens.provider.COOL_DOWN_S", 0.0)
    installation = engine_loop.run(ensure_provider(Cache(engine_cache, print)))
    with provider(installation, tmp_path) as first:
        async with (
            stand.serve(url=EDGE, provider=first.settings) as served,
            Browser({EDGE: served.url}) as browser,
        ):
            old = (await first.tokens(browser))["access_token"]
            assert (await me(served, old)).status == 200
    with provider(installation, tmp_path, first.port) as second:
        async with Browser({}) as browser:
            new = (await second.tokens(browser))["access_token"]
    async with stand.serve(url=EDGE, provider=first.settings) as served:
        answer = await me(served, old)
        assert (answer.status, answer.code) == (503, "identity_provider_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        for path in ("/v1/auth/login", "/v1/auth/callback?code=x&state=y"):
            assert (await served.get(path)).status == 503
        with provider(installation, tmp_path, first.port) as third:
            # A process that starts anew draws a new key: what it signs is known at once.
            async with Browser({EDGE: served.url}) as browser:
                newest = (await third.tokens(browser))["access_token"]
            assert (await me(served, newest)).status == 200
            for gone in (old, new):
                assert (await me(served, gone)).code == "token_invalid"
        assert (await me(served, newest)).status == 200  # Away again: the known key serves.
        assert (await me(served, old)).status == 503
