"""A provider's public keys, each with the algorithms that it may be used for and no others.

An algorithm is chosen by the key, never by the token alone (RFC 8725 section 3.1): a public key is
no HMAC secret, and whoever signs with another kind of key is not this one's owner. Symmetric keys,
keys for encryption, weak and unreadable ones are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import errors
from joserfc.jwk import ECKey, OKPKey, RSAKey

#: By key type and curve. The first ones are what most providers use.
_ALGORITHMS: Final[dict[tuple[str, str | None], frozenset[str]]] = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
}
#: What a public key consists of. A private part that was published by mistake stays out.
_PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
_RSA_BITS_MIN: Final = 2048
_RSA_BITS_MAX: Final = 8192
KEYS_MAX: Final = 64

PublicKey = ECKey | OKPKey | RSAKey
_MAKERS: Final[dict[str, Any]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the provider. `id` is its `kid`, None when it has none."""

    id: str | None
    algorithms: frozenset[str]
    key: PublicKey


def signing_keys(document: object) -> tuple[SigningKey, ...]:
    """The keys of a JWK Set (RFC 7517) that tokens may be signed with."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return ()
    found = (_signing_key(one) for one in listed[:KEYS_MAX] if isinstance(one, dict))
    return tuple(key for key in found if key is not None)


def find(keys: Sequence[SigningKey], key_id: str | None, algorithm: str) -> SigningKey | None:
    """The key of this id for this algorithm. Without an id: the only one for the algorithm."""
    fitting = [key for key in keys if algorithm in key.algorithms]
    if key_id is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.id == key_id), None)


def _signing_key(given: dict[str, Any]) -> SigningKey | None:
    kind, curve = given.get("kty"), given.get("crv")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return None
    algorithms = _ALGORITHMS.get((kind, curve))
    if algorithms is None or given.get("use", "sig") != "sig":
        return None
    if "alg" in given:
        algorithms = algorithms & {given["alg"]} if isinstance(given["alg"], str) else frozenset()
    identifier = given.get("kid")
    if not algorithms or not isinstance(identifier, str | None):
        return None
    public = {name: given[name] for name in _PUBLIC_MEMBERS if name in given}
    try:
        key: PublicKey = _MAKERS[kind].import_key(public)
        if isinstance(key, RSAKey) and not (
            _RSA_BITS_MIN <= key.public_key.key_size <= _RSA_BITS_MAX
        ):
            return None
    except (errors.JoseError, ValueError, TypeError, KeyError):
        return None
    return SigningKey(identifier, algorithms, key)
