"""Whether a token holds: pure rules over its bytes, the provider's keys and the time.

Sources: RFC 9068 (access tokens), OpenID Connect Core 1.0 section 3.1.3.7 (ID tokens), RFC 7515 and
7519 (signatures, claims), RFC 8725 (best practices). Every no is a TokenRefusedError.
"""

import hmac
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from joserfc import errors, jws

from edge.tokens.keys import SigningKey
from edge.tokens.models import (
    CLOCK_SKEW_S,
    AccessToken,
    Authenticated,
    Identity,
    ProviderSettings,
    TokenRefusedError,
)

Kind = Literal["access_token", "id_token"]
Claims = Mapping[str, Any]

TOKEN_BYTES_MAX: Final = 8_192
_TEXT_MAX: Final = 255
_NAME_MAX: Final = 200
_MAIL_MAX: Final = 254
_LISTED_MAX: Final = 32
_FORM: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MAIL: Final = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\"]+")
#: Each would let a token bring its own key, or mean something that is not looked at here.
_HEADERS_REFUSED: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
#: RFC 9068 section 4; one kind of token is never taken for the other (RFC 8725 section 3.11).
_TYPES: Final[dict[Kind, frozenset[str | None]]] = {
    "access_token": frozenset({"at+jwt"}),
    "id_token": frozenset({None, "jwt"}),
}


class _Registry(jws.JWSRegistry):
    max_header_length = 2_048
    max_payload_length = TOKEN_BYTES_MAX
    max_signature_length = 2_048

    def get_alg(self, name: str) -> Any:
        # As the library does, without its warning of a name that RFC 9864 replaces (EdDSA).
        if self.allowed is None or name not in self.allowed:
            raise errors.UnsupportedAlgorithmError(name)
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token's form is right; nobody knows yet whose it is. `key_id` is only compared."""

    key_id: str | None
    algorithm: str
    signature: jws.CompactSignature


def looks_like_token(text: bytes) -> bool:
    """Whether a bearer credential is a signed token rather than an API key."""
    return text.count(b".") == 2


def read(token: bytes, kind: Kind) -> Unverified:
    """The token's header, within the bounds and of the right type."""
    if len(token) > TOKEN_BYTES_MAX or not _FORM.fullmatch(token):
        raise TokenRefusedError("form")
    try:
        signature = jws.extract_compact(token, registry=_Registry(strict_check_header=False))
        header: Any = signature.headers()
    except (errors.JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefusedError("form") from error
    if not isinstance(header, dict) or _HEADERS_REFUSED & header.keys():
        raise TokenRefusedError("header")
    key_id, algorithm, named = header.get("kid"), header.get("alg"), header.get("typ")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise TokenRefusedError("header")
    if isinstance(named, str):
        named = named.lower().removeprefix("application/")
    if named not in _TYPES[kind] if isinstance(named, str | None) else True:
        raise TokenRefusedError("type")
    return Unverified(key_id, algorithm, signature)


def verify(token: Unverified, key: SigningKey) -> Claims:
    """The claims, once the signature is seen to be the key's."""
    if token.algorithm not in key.algorithms:
        raise TokenRefusedError("algorithm")
    registry = _Registry(algorithms=[token.algorithm], strict_check_header=False)
    try:
        if not jws.validate_compact(token.signature, key.key, registry=registry):
            raise TokenRefusedError("signature")
        claims = orjson.loads(token.signature.payload)
    except (errors.JoseError, ValueError, TypeError) as error:
        raise TokenRefusedError("signature") from error
    if not isinstance(claims, dict):
        raise TokenRefusedError("claims")
    return claims


def access_token(claims: Claims, settings: ProviderSettings, now: datetime) -> AccessToken:
    """What an access token for this API says (RFC 9068 section 4).

    A provider that leaves out `client_id` names the client in `azp`. A token whose subject is its
    client is nobody's: a program has an API key.
    """
    expires_at = _check_times(claims, now)
    client = _text(claims, "client_id" if "client_id" in claims else "azp")
    subject = _subject(claims)
    _text(claims, "jti")
    _check_issuer(claims, settings.issuer)
    if settings.audience not in _listed(claims, "aud"):
        raise TokenRefusedError("audience")
    if subject == client:
        raise TokenRefusedError("no person")
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise TokenRefusedError("scope")
    return AccessToken(
        issuer=settings.issuer,
        subject=subject,
        client_id=client,
        scopes=frozenset(scope.split()),
        authenticated=_authenticated(claims, now),
        expires_at=expires_at,
    )


def identity(claims: Claims, settings: ProviderSettings, nonce: str, now: datetime) -> Identity:
    """Whom an ID token is about, made for us and for the login with this nonce."""
    _check_times(claims, now)
    _check_issuer(claims, settings.issuer)
    audience = _listed(claims, "aud")
    party = claims.get("azp")
    if settings.client_id not in audience or party not in (None, settings.client_id):
        raise TokenRefusedError("audience")
    if len(audience) > 1 and party is None:
        raise TokenRefusedError("audience")
    if not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise TokenRefusedError("nonce")
    return Identity(
        issuer=settings.issuer,
        subject=_subject(claims),
        authenticated=_authenticated(claims, now),
        name=name_of(claims),
        email=email_of(claims),
    )


def name_of(claims: Claims) -> str | None:
    """The person's name, without what cannot be seen; None when there is none."""
    name = claims.get("name")
    if not isinstance(name, str):
        return None
    shown = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in name)
    return " ".join(shown.split())[:_NAME_MAX] or None


def email_of(claims: Claims) -> str | None:
    """The person's mail address, if the provider says that it has verified it."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    return email if len(email) <= _MAIL_MAX and _MAIL.fullmatch(email) else None


def _check_issuer(claims: Claims, issuer: str) -> None:
    if claims.get("iss") != issuer:
        raise TokenRefusedError("issuer")


def _check_times(claims: Claims, now: datetime) -> datetime:
    """When the token ends; it has begun and has not ended."""
    moment = now.timestamp()
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    begins = _seconds(claims, "nbf") if "nbf" in claims else issued
    if expires + CLOCK_SKEW_S <= moment:
        raise TokenRefusedError("expired")
    if max(begins, issued) - CLOCK_SKEW_S > moment:
        raise TokenRefusedError("not yet valid")
    return datetime.fromtimestamp(expires, UTC)


def _authenticated(claims: Claims, now: datetime) -> Authenticated:
    at, acr = None, claims.get("acr")
    if claims.get("auth_time") is not None:
        seconds = _seconds(claims, "auth_time")
        if seconds - CLOCK_SKEW_S > now.timestamp():
            raise TokenRefusedError("not yet valid")
        at = datetime.fromtimestamp(seconds, UTC)
    methods = _listed(claims, "amr") if claims.get("amr") is not None else ()
    if acr is not None:
        acr = _text(claims, "acr")
    return Authenticated(at=at, acr=acr, amr=frozenset(methods))


def _subject(claims: Claims) -> str:
    """At most 255 ASCII characters (OpenID Connect Core 1.0 section 2)."""
    subject = _text(claims, "sub")
    if not subject.isascii():
        raise TokenRefusedError("sub")
    return subject


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
        raise TokenRefusedError(name)
    return value


def _listed(claims: Claims, name: str) -> tuple[str, ...]:
    value = claims.get(name)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > _LISTED_MAX:
        raise TokenRefusedError(name)
    if not all(isinstance(one, str) and len(one) <= _TEXT_MAX for one in values):
        raise TokenRefusedError(name)
    return tuple(values)


def _seconds(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusedError(name)
    if not math.isfinite(value) or not 0 <= value < 1 << 35:
        raise TokenRefusedError(name)
    return float(value)
