"""Idempotency-Key: its forms, and the fingerprint that tells the same request from another.

Source: draft-ietf-httpapi-idempotency-key-header-07. The header is a string of structured fields
(RFC 9651), quoted; the bare form that most clients send means the same key.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from edge.errors import ProblemError

_BARE: Final = re.compile(r"[ -~]{1,255}")
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
PURPOSE: Final = "request-fingerprint"


def parse_key(values: Sequence[str]) -> str:
    """The key in the header's values; ProblemError 400 when it is missing or malformed."""
    if not values:
        raise ProblemError("idempotency_key_missing")
    if len(values) > 1:
        raise ProblemError("idempotency_key_malformed", "The header Idempotency-Key came twice.")
    key = values[0]
    if key.startswith('"'):
        quoted = _QUOTED.fullmatch(key)
        if quoted is None:
            raise ProblemError("idempotency_key_malformed")
        key = _ESCAPED.sub(r"\1", quoted[1])
    if not _BARE.fullmatch(key):
        raise ProblemError("idempotency_key_malformed")
    return key


def fingerprint(key: bytes, method: str, path: str, query: str, body: dict[str, Any]) -> bytes:
    """Keyed, since a body may identify a person. Order of fields and white space do not count."""
    try:
        canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # A number beyond 64 bits: the model will name its field.
        canonical = json.dumps(body, sort_keys=True).encode()
    head = orjson.dumps([method, path, query])
    return hmac.digest(key, head + b"\n" + canonical, hashlib.sha256)
