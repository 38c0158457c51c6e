"""Keys that come, go and rotate, and a provider that is away."""

import asyncio
from typing import Any

import pytest

from edge.tokens.http import is_safe
from edge.tokens.models import ProviderAwayError, ProviderSettings, TokenRefusedError
from edge.tokens.provider import COOL_DOWN_S, RENEW_AFTER_S, STALE_S_MAX, Provider
from tests.edge import issuer
from tests.edge.issuer import EC, OTHER_EC, SETTINGS, Issuer, access_claims, key_set, public, sign


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def web() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(web: Issuer, clock: Clock) -> Provider:
    return Provider(SETTINGS, web.fetch, clock)


TOKEN = sign(access_claims())
OF_NEW_KEY = sign(access_claims(), OTHER_EC, kid="new")


async def subject(provider: Provider, token: bytes = TOKEN) -> str:
    return str((await provider.claims(token, "access_token"))["sub"])


async def idle() -> None:
    """Let the renewal that nobody awaits come to its end."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_tokens_cost_one_fetch(provider: Provider, web: Issuer) -> None:
    said = await asyncio.gather(*(subject(provider) for _ in range(50)))
    assert set(said) == {"subject-1"}
    assert web.keys_fetched() == 1


async def test_a_rotated_key_is_fetched_when_its_first_token_comes(
    provider: Provider, web: Issuer, clock: Clock
) -> None:
    await subject(provider)
    web.keys = key_set(public(OTHER_EC, "new"), public(EC, "ec"))
    clock.now += COOL_DOWN_S
    assert await subject(provider, OF_NEW_KEY) == "subject-1"
    assert await subject(provider) == "subject-1"
    assert web.keys_fetched() == 2


async def test_a_flood_of_unknown_key_ids_fetches_once_in_a_cool_down(
    provider: Provider, web: Issuer, clock: Clock
) -> None:
    await subject(provider)
    clock.now += COOL_DOWN_S
    flood = (
        provider.claims(sign(access_claims(), OTHER_EC, kid=f"no-{n}"), "access_token")
        for n in range(100)
    )
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(one) for one in refused} == {TokenRefusedError}
    assert web.keys_fetched() == 2


async def test_a_withdrawn_key_is_forgotten_with_the_next_renewal(
    provider: Provider, web: Issuer, clock: Clock
) -> None:
    await subject(provider)
    web.keys = key_set(public(OTHER_EC, "new"))
    clock.now += RENEW_AFTER_S + 1
    assert await subject(provider) == "subject-1"  # Nobody waits for the renewal.
    await idle()
    with pytest.raises(TokenRefusedError):
        await subject(provider)


async def test_known_keys_serve_while_the_provider_is_away_and_unknown_ones_are_not_refused(
    provider: Provider, web: Issuer, clock: Clock
) -> None:
    await subject(provider)
    web.is_away = True
    clock.now += RENEW_AFTER_S + 1
    for _ in range(3):
        assert await subject(provider) == "subject-1"
        with pytest.raises(ProviderAwayError):
            await subject(provider, OF_NEW_KEY)
    asked = len(web.asked)
    with pytest.raises(ProviderAwayError):
        await subject(provider, OF_NEW_KEY)
    assert len(web.asked) == asked


async def test_known_keys_serve_for_a_day_at_most(
    provider: Provider, web: Issuer, clock: Clock
) -> None:
    await subject(provider)
    web.is_away = True
    clock.now += STALE_S_MAX
    with pytest.raises(ProviderAwayError):
        await subject(provider)
    web.is_away = False
    clock.now += COOL_DOWN_S
    assert await subject(provider) == "subject-1"


async def test_a_provider_that_was_never_there_is_asked_once_in_a_cool_down(
    provider: Provider, web: Issuer
) -> None:
    web.is_away = True
    for _ in range(5):
        with pytest.raises(ProviderAwayError):
            await subject(provider)
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://login.example.org/realms/two"},
        {"issuer": None},
        {"jwks_uri": "http://login.example.org/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"userinfo_endpoint": "https://user:secret@login.example.org/"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
async def test_metadata_of_another_issuer_or_without_https_is_not_believed(
    provider: Provider, web: Issuer, changes: dict[str, Any]
) -> None:
    web.changes = changes
    with pytest.raises(ProviderAwayError):
        await provider.metadata()


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AA"}]}])
async def test_a_key_set_without_a_usable_key_does_not_replace_a_good_one(
    provider: Provider, web: Issuer, clock: Clock, keys: Any
) -> None:
    await subject(provider)
    web.keys = keys
    clock.now += RENEW_AFTER_S + 1
    await subject(provider)
    await idle()
    assert web.keys_fetched() == 2
    assert await subject(provider) == "subject-1"


@pytest.mark.parametrize(
    ("method", "secret", "offered"),
    [
        ("none", None, None),
        ("client_secret_basic", "s", None),
        ("client_secret_basic", "s", ["client_secret_post", "client_secret_basic"]),
        ("client_secret_post", "s", ["client_secret_post"]),
    ],
)
async def test_the_client_authenticates_as_the_provider_allows(
    web: Issuer, clock: Clock, method: str, secret: str | None, offered: list[str] | None
) -> None:
    settings = ProviderSettings(
        issuer=issuer.ISSUER, client_id="c", client_secret=secret, audience="a"
    )
    if offered is not None:
        web.changes = {"token_endpoint_auth_methods_supported": offered}
    metadata = await Provider(settings, web.fetch, clock).metadata()
    assert metadata.client_authentication == method


@pytest.mark.parametrize(
    ("url", "in_test", "in_production"),
    [
        ("https://login.example.org/x", True, True),
        ("http://127.0.0.1:8080/x", True, False),
        ("http://[::1]:8080/x", True, False),
        ("http://localhost/x", True, False),
        ("http://login.example.org/x", False, False),
        ("http://127.0.0.1.evil.example/x", False, False),
        ("https:///x", False, False),
        ("https://[::1", False, False),
        ("https://host/x#fragment", False, False),
        (None, False, False),
    ],
)
def test_secrets_travel_by_https_or_on_this_machine_in_tests(
    url: object, in_test: bool, in_production: bool
) -> None:
    assert is_safe(url, allows_plain_http=True) is in_test
    assert is_safe(url, allows_plain_http=False) is in_production
