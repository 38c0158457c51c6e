"""API keys: `ampk_<environment>_<32 random characters><6 characters of CRC-32>`.

Publishable ones, which may stand in web pages, begin with `ampp_`.

The checksum lets a mistyped or made-up key be refused without a look-up, and secret scanners tell a
real key from a lookalike. Only a keyed hash of a key is ever stored.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from typing import Final, Literal

from edge.settings import Environment

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH: Final = 32
_CHECKSUM_LENGTH: Final = 6
_FORM: Final = re.compile(rb"amp[kp]_(test|live)_[0-9A-Za-z]{38}")
PREFIXES: Final = {"secret": "ampk", "publishable": "ampp"}
PURPOSE: Final = "api-key"


def mint(environment: Environment, kind: Literal["secret", "publishable"] = "secret") -> str:
    """A fresh key, 190 bits of randomness."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    body = f"{PREFIXES[kind]}_{environment}_{random}"
    return body + _checksum(body.encode())


def looks_like_one(token: bytes) -> bool:
    """Whether it is meant to be a key of ours, good or not."""
    return token.startswith((b"ampk_", b"ampp_"))


def environment_of(token: bytes) -> Environment | None:
    """Which environment a well-formed key is for; None when it is no key of ours."""
    match = _FORM.fullmatch(token)
    if match is None:
        return None
    body, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    if _checksum(body).encode() != checksum:
        return None
    return "live" if match[1] == b"live" else "test"


def secret_hash(hash_key: bytes, token: bytes) -> bytes:
    """What is stored of a key: HMAC-SHA256 under a key that is not in the database."""
    return hmac.digest(hash_key, token, hashlib.sha256)


def _checksum(body: bytes) -> str:
    value = zlib.crc32(body)
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))
