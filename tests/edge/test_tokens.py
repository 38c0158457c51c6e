"""Tokens that hold, and every way that a token is made to look as if it did."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from edge.tokens import decisions
from edge.tokens.keys import find, signing_keys
from edge.tokens.models import CLOCK_SKEW_S, AccessToken, Identity, TokenRefusedError
from tests.edge import issuer
from tests.edge.confusions import CONFUSIONS, HS_OVER_PUBLIC_KEYS
from tests.edge.issuer import (
    AUDIENCE,
    CLIENT,
    EC,
    ED,
    ISSUER,
    NOW,
    OTHER_EC,
    RSA,
    SETTINGS,
    STANDARD,
    access_claims,
    id_claims,
    sign,
)


def _claims(token: bytes, kind: decisions.Kind, keys: Any) -> decisions.Claims:
    unverified = decisions.read(token, kind)
    key = find(signing_keys(keys), unverified.key_id, unverified.algorithm)
    if key is None:
        raise TokenRefusedError("unknown key")
    return decisions.verify(unverified, key)


def judge(token: bytes, keys: Any = STANDARD, now: Any = NOW) -> AccessToken:
    """What the edge makes of an access token, as `Provider` and its callers do."""
    return decisions.access_token(_claims(token, "access_token", keys), SETTINGS, now)


def identify(token: bytes, nonce: str = "n-1") -> Identity:
    return decisions.identity(_claims(token, "id_token", STANDARD), SETTINGS, nonce, NOW)


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [
        (EC, "ES256", "ec"),
        (RSA, "RS256", "rsa"),
        (RSA, "PS256", "rsa"),
        (ED, "EdDSA", "ed"),
    ],
)
def test_a_good_token_says_who_signed_in_and_how(key: Any, alg: str, kid: str) -> None:
    token = judge(sign(access_claims(amr=["pwd"]), key, alg=alg, kid=kid))
    assert (token.issuer, token.subject, token.client_id) == (ISSUER, "subject-1", "some-app")
    assert token.scopes == {"openid", "amply"}
    assert token.authenticated.at == NOW - timedelta(seconds=10)
    assert (token.authenticated.acr, token.authenticated.amr) == ("pwd", frozenset({"pwd"}))
    assert token.expires_at == NOW + timedelta(seconds=300)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_of_an_access_token_may_be_spelled_as_a_media_type(typ: str) -> None:
    assert judge(sign(access_claims(), typ=typ)).subject == "subject-1"


def test_a_provider_without_client_id_names_the_client_in_azp() -> None:
    token = judge(sign(access_claims(client_id=..., azp="some-app")))
    assert token.client_id == "some-app"


def test_one_of_several_audiences_is_enough() -> None:
    assert judge(sign(access_claims(aud=["https://else.example", AUDIENCE]))).subject


@pytest.mark.parametrize("name", CONFUSIONS)
def test_a_confused_token_is_refused(name: str) -> None:
    with pytest.raises(TokenRefusedError):
        judge(CONFUSIONS[name])


def test_size_is_judged_before_anything_else() -> None:
    token = sign(access_claims(padding="x" * 5_700))
    assert len(token) < decisions.TOKEN_BYTES_MAX
    assert judge(token).subject
    with pytest.raises(TokenRefusedError, match="form"):
        judge(token + b"A" * (decisions.TOKEN_BYTES_MAX + 1 - len(token)))


def test_no_key_of_a_set_serves_with_a_shared_secret_or_with_another_keys_algorithm() -> None:
    for key in signing_keys(STANDARD):
        assert not [name for name in key.algorithms if name.startswith("HS") or name == "none"]
        for token in (*HS_OVER_PUBLIC_KEYS, sign(access_claims(), OTHER_EC)):
            unverified = decisions.read(token, "access_token")
            with pytest.raises(TokenRefusedError, match=r"algorithm|signature") as caught:
                decisions.verify(unverified, key)
            is_of_its_kind = unverified.algorithm in key.algorithms
            assert str(caught.value) == ("signature" if is_of_its_kind else "algorithm")


def test_each_changed_byte_of_a_token_is_seen() -> None:
    token = sign(access_claims())
    for position in range(0, len(token), 7):
        changed = bytearray(token)
        changed[position] = ord("A") if changed[position] != ord("A") else ord("B")
        with pytest.raises(TokenRefusedError):
            judge(bytes(changed))


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [(300 + CLOCK_SKEW_S - 1, True), (300 + CLOCK_SKEW_S, False), (-CLOCK_SKEW_S, True),
     (-CLOCK_SKEW_S - 1, False)],
)  # fmt: skip
def test_clocks_may_differ_by_a_minute_and_no_more(seconds: int, holds: bool) -> None:
    token = sign(access_claims(auth_time=...))
    moment = NOW + timedelta(seconds=seconds)
    if holds:
        assert judge(token, now=moment).subject
    else:
        with pytest.raises(TokenRefusedError):
            judge(token, now=moment)


@pytest.mark.parametrize(
    "shown",
    [
        issuer.public(EC, "ec", use="enc"),
        issuer.public(EC, "ec", alg="ECDH-ES"),
        issuer.public(EC, "ec", alg="HS256"),
        issuer.public(RSAKey.generate_key(1024), "ec"),
        issuer.public(ECKey.generate_key("secp256k1"), "ec"),
        {"kty": "oct", "kid": "ec", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"},
        {"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"},
        {"kty": ["EC"], "crv": {}, "kid": "ec"},
        {"kty": "EC", "kid": "ec"},
        {},
    ],
)
def test_a_key_that_must_not_sign_is_no_signing_key(shown: dict[str, Any]) -> None:
    assert signing_keys(issuer.key_set(shown)) == ()


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": {}}, {"keys": [1, None]}])
def test_what_is_no_key_set_has_no_keys(document: object) -> None:
    assert signing_keys(document) == ()


def test_an_only_key_needs_no_id_but_one_of_several_does() -> None:
    token = sign(access_claims(), kid=None)
    assert judge(token, issuer.key_set(issuer.public(EC, None))).subject
    with pytest.raises(TokenRefusedError):
        judge(token, issuer.key_set(issuer.public(EC, "a"), issuer.public(OTHER_EC, "b")))


def test_a_private_key_shown_by_mistake_is_read_as_its_public_half() -> None:
    shown = dict(EC.as_dict(private=True)) | {"kid": "ec"}
    [key] = signing_keys(issuer.key_set(shown))
    assert not key.key.is_private


def test_an_id_token_of_our_login_says_who_it_was() -> None:
    claims = id_claims(name=" Ada\u202e \n Example ", email="ada@example.org", email_verified=True)
    who = identify(sign(claims, typ="JWT"))
    assert (who.subject, who.name, who.email) == ("subject-1", "Ada Example", "ada@example.org")
    assert identify(sign(id_claims(), typ=None)).subject == "subject-1"


@pytest.mark.parametrize(
    ("changes", "typ"),
    [
        ({"nonce": "n-2"}, "JWT"),
        ({"nonce": ...}, "JWT"),
        ({"aud": "another-client"}, "JWT"),
        ({"aud": [CLIENT, "another-client"]}, "JWT"),
        ({"azp": "another-client"}, "JWT"),
        ({"iss": "https://else.example"}, "JWT"),
        ({"exp": NOW.timestamp() - CLOCK_SKEW_S}, "JWT"),
        ({"iat": ...}, "JWT"),
        ({"sub": ...}, "JWT"),
        ({}, "at+jwt"),
    ],
)
def test_an_id_token_of_another_login_is_refused(changes: dict[str, Any], typ: str) -> None:
    with pytest.raises(TokenRefusedError):
        identify(sign(id_claims(**changes), typ=typ))


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "ada@example.org", "email_verified": True}, "ada@example.org"),
        ({"email": "ada@example.org"}, None),
        ({"email": "ada@example.org", "email_verified": False}, None),
        ({"email": "ada@example.org", "email_verified": "true"}, None),
        ({"email": "ada@evil\r\nBcc: x@example.org", "email_verified": True}, None),
        ({"email": "a" * 250 + "@example.org", "email_verified": True}, None),
        ({"email": ["ada@example.org"], "email_verified": True}, None),
    ],
)
def test_only_a_mail_address_that_the_provider_verified_counts(
    claims: dict[str, Any], email: str | None
) -> None:
    assert decisions.email_of(claims) == email


@pytest.mark.parametrize(
    ("claims", "is_strong"),
    [
        ({"acr": "mfa"}, True),
        ({"acr": "mfa", "auth_time": ...}, False),
        ({"acr": "pwd"}, False),
        ({"acr": ...}, False),
        ({"acr": "pwd", "amr": ["pwd", "mfa"]}, True),
        ({"acr": "pwd", "amr": ["pwd", "otp"]}, False),
    ],
)
def test_a_second_factor_is_what_the_provider_calls_one_with_its_time(
    claims: dict[str, Any], is_strong: bool
) -> None:
    token = judge(sign(access_claims(**claims)))
    assert token.authenticated.is_strong(("mfa",)) is is_strong
