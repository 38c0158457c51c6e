"""What attackers send in place of an access token, each under the name of its trick."""

from typing import Any

from edge.tokens.models import CLOCK_SKEW_S
from tests.edge import issuer
from tests.edge.issuer import (
    AUDIENCE,
    EC,
    ISSUER,
    NOW,
    OTHER_EC,
    RSA,
    access_claims,
    forge,
    id_claims,
    sign,
)

HS_OVER_PUBLIC_KEYS = [
    issuer.hmac_with_public_key(access_claims(), key.as_pem(private=False) + tail, kid)
    for key, kid in ((EC, "ec"), (RSA, "rsa"))
    for tail in (b"", b"\n")
]

HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "ec"}


def with_header(signature: bytes = b"x" * 64, **changes: Any) -> bytes:
    """Good claims under a header that is put together by hand; `...` removes a member."""
    header = {name: value for name, value in (HEADER | changes).items() if value is not ...}
    return forge(header, access_claims(), signature)


#: What an attacker sends, and what it is.
CONFUSIONS: dict[str, bytes] = {
    "none": with_header(b"", alg="none"),
    "None": with_header(alg="None"),
    "none with a signature": with_header(alg="none"),
    "no algorithm": with_header(alg=...),
    "algorithm is a list": with_header(alg=["ES256"]),
    **{f"hmac over a public key {n}": token for n, token in enumerate(HS_OVER_PUBLIC_KEYS)},
    "hmac with an empty secret": issuer.hmac_with_public_key(access_claims(), b"", "ec"),
    "an empty ECDSA signature": with_header(b"\0" * 64),
    "another's key under a known id": sign(access_claims(), OTHER_EC),
    "a known key under an unknown id": sign(access_claims(), kid="unknown"),
    "no id where several keys fit": sign(access_claims(), RSA, alg="RS256", kid="none-such"),
    "an algorithm of another key": sign(access_claims(), RSA, alg="RS256", kid="ec"),
    "an id that is a path": sign(access_claims(), kid="../../../../dev/null"),
    "an id that is SQL": sign(access_claims(), kid="x' UNION SELECT 'key"),
    "an id that is a number": with_header(kid=7),
    "an embedded key": sign(access_claims(), OTHER_EC, jwk=issuer.public(OTHER_EC, "ec")),
    "an embedded key without id": sign(
        access_claims(), OTHER_EC, kid=None, jwk=issuer.public(OTHER_EC, None)
    ),
    "the address of a key set": sign(access_claims(), OTHER_EC, jku="https://evil.example/jwks"),
    "the address of a certificate": sign(access_claims(), OTHER_EC, x5u="https://evil.example/c"),
    "a certificate": sign(access_claims(), OTHER_EC, x5c=["MIIB"]),
    "a known key beside a jku": sign(access_claims(), jku="https://evil.example/jwks"),
    "a critical extension": with_header(crit=["exp"], exp=1),
    "a wrong type": sign(access_claims(), typ="JWT"),
    "no type": sign(access_claims(), typ=None),
    "a type that is a number": with_header(typ=5),
    "an ID token": sign(id_claims(), typ="JWT"),
    "an ID token called an access token": sign(id_claims()),
    "a logout token": sign(access_claims(), typ="logout+jwt"),
    "another issuer": sign(access_claims(iss="https://login.example.org/realms/two")),
    "an issuer with a slash more": sign(access_claims(iss=ISSUER + "/")),
    "no issuer": sign(access_claims(iss=...)),
    "another audience": sign(access_claims(aud="https://else.example")),
    "an audience that begins alike": sign(access_claims(aud=AUDIENCE + ".evil.example")),
    "no audience": sign(access_claims(aud=...)),
    "an audience that is an object": sign(access_claims(aud={AUDIENCE: 1})),
    "expired": sign(access_claims(exp=NOW.timestamp() - CLOCK_SKEW_S)),
    "no end": sign(access_claims(exp=...)),
    "an end that is text": sign(access_claims(exp="9999999999")),
    "an end that is true": sign(access_claims(exp=True)),
    "an end beyond all calendars": sign(access_claims(exp=10**18)),
    "not yet valid": sign(access_claims(nbf=NOW.timestamp() + CLOCK_SKEW_S + 1)),
    "issued in the future": sign(access_claims(iat=NOW.timestamp() + CLOCK_SKEW_S + 1)),
    "signed in in the future": sign(access_claims(auth_time=NOW.timestamp() + 3600)),
    "issued in the future, and valid before": sign(
        access_claims(iat=NOW.timestamp() + CLOCK_SKEW_S + 1, nbf=NOW.timestamp())
    ),
    "a time of issue that is true": sign(access_claims(iat=True)),
    "no time of issue": sign(access_claims(iat=...)),
    "no subject": sign(access_claims(sub=...)),
    "an empty subject": sign(access_claims(sub="")),
    "a subject that is a number": sign(access_claims(sub=7)),
    "a subject beyond ASCII": sign(access_claims(sub="subjéct-1")),
    "a subject that is too long": sign(access_claims(sub="s" * 256)),
    "no client": sign(access_claims(client_id=...)),
    "no token id": sign(access_claims(jti=...)),
    "scopes as a list": sign(access_claims(scope=["amply"])),
    "a client by itself": sign(access_claims(sub="some-app")),
    "claims that are a list": b".".join([sign(access_claims()).split(b".")[0], b"W10", b"eA"]),
    "oversized": sign(access_claims(padding="x" * 9_000)),
    "an oversized header": sign(access_claims(), padding="x" * 4_000),
    "encrypted": b"e30.e30.e30.e30.e30",
    "two parts": b"e30.e30",
    "no base64": b"!!!.e30.e30",
    "padded": sign(access_claims()) + b"=",
    "bytes that are no text": b"\xff\xfe.e30.e30",
    "nothing": b"",
    "a deeply nested header": with_header(typ=[[[[[[["at+jwt"]]]]]]]),
}
