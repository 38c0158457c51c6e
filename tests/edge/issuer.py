"""An issuer of tokens under our control: keys, good tokens, and whatever an attacker would make."""

import base64
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from edge.tokens.http import Answer
from edge.tokens.models import ProviderAwayError, ProviderSettings

ISSUER = "https://login.example.org/realms/one"
AUDIENCE = "https://api.example.org"
CLIENT = "amply-web"
SETTINGS = ProviderSettings(issuer=ISSUER, client_id=CLIENT, audience=AUDIENCE)
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)

#: Made once: RSA keys are slow to make.
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")
OTHER_EC = ECKey.generate_key("P-256")
_REGISTRY = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False)
_REGISTRY.max_header_length = _REGISTRY.max_payload_length = 1 << 20


def encode(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def public(key: Any, key_id: str | None, **more: Any) -> dict[str, Any]:
    """A key as a JWK Set shows it."""
    shown = dict(key.as_dict(private=False)) | more
    return shown | ({"kid": key_id} if key_id is not None else {})


def key_set(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


STANDARD = key_set(
    public(EC, "ec", alg="ES256", use="sig"),
    public(RSA, "rsa", use="sig"),
    public(ED, "ed", alg="EdDSA"),
)


def access_claims(now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """The claims of a good access token; a change to `...` removes one."""
    moment = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "subject-1",
        "client_id": "some-app",
        "jti": "jti-1",
        "iat": moment,
        "exp": moment + 300,
        "auth_time": moment - 10,
        "acr": "pwd",
        "scope": "openid amply",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def id_claims(now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """The claims of a good ID token for the nonce `n-1`."""
    return access_claims(
        now, **{"aud": CLIENT, "nonce": "n-1", "client_id": ..., "scope": ..., **changes}
    )


def sign(
    claims: Mapping[str, Any],
    key: Any = EC,
    *,
    alg: str = "ES256",
    kid: str | None = "ec",
    typ: str | None = "at+jwt",
    **header: Any,
) -> bytes:
    """A token as given, signed with the key given."""
    named = {"alg": alg, "typ": typ, "kid": kid, **header}
    protected = {name: value for name, value in named.items() if value is not None}
    body = orjson.dumps(dict(claims))
    return jws.serialize_compact(protected, body, key, registry=_REGISTRY).encode()


def forge(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> bytes:
    """A token put together by hand."""
    parts = (orjson.dumps(dict(header)), orjson.dumps(dict(claims)), signature)
    return ".".join(map(encode, parts)).encode()


def hmac_with_public_key(claims: Mapping[str, Any], pem: bytes, kid: str) -> bytes:
    """The classic confusion: HS256, with the public key's text as its secret."""
    token = forge({"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims)
    signed = token.rpartition(b".")[0]
    return signed + b"." + encode(hmac.digest(pem, signed, "sha256")).encode()


class Issuer:
    """A provider's web side: a script of answers, and how often each address was asked."""

    def __init__(self) -> None:
        self.keys: Any = STANDARD
        self.changes: dict[str, Any] = {}
        self.is_away = False
        self.asked: list[str] = []

    async def fetch(self, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        if self.is_away:
            raise ProviderAwayError("ClientConnectorError")
        if url.endswith("/.well-known/openid-configuration"):
            return Answer(
                200,
                {
                    "issuer": ISSUER,
                    "jwks_uri": f"{ISSUER}/jwks",
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    **self.changes,
                },
            )
        return Answer(200, self.keys)

    def keys_fetched(self) -> int:
        return sum(url.endswith("/jwks") for url in self.asked)


def now_claims(**changes: Any) -> dict[str, Any]:
    """Claims that hold at this very moment."""
    return access_claims(datetime.fromtimestamp(time.time(), UTC), **changes)
