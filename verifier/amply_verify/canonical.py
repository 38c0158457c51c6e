"""Canonical bytes: RFC 8785 restricted until every value has exactly one spelling (section 2).

Rules: integers within ±(2^53-1) and nothing else that is a number; keys `[a-z][a-z0-9_]*`, sorted;
no U+0000, no lone surrogates; at most 16 levels of objects and arrays, the outermost being level 1.
`parse` refuses every text that `encode` would not have written.
"""

import base64
import binascii
import json
import re
from typing import Any, NoReturn

from amply_verify.errors import CanonicalError

DEPTH_MAX = 16
INTEGER_MAX = 2**53 - 1
LINE_BYTES_MAX = 1_048_576

_KEY = re.compile(r"[a-z][a-z0-9_]*").fullmatch
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")

# Short key sequences that were found good: looking one up is several times faster than checking it.
# Bounded, since texts from outside may bring any number of them.
_good_keys: set[tuple[str, ...]] = set()
_GOOD_KEYS_MAX = 4096
_GOOD_KEYS_LENGTH_MAX = 256


def _integer(digits: str) -> int:
    # Seventeen characters hold every allowed integer; longer ones are refused before int() works.
    if len(digits) <= 17:
        value = int(digits)
        if value == 0 and digits != "0":
            raise CanonicalError("zero has no sign")
        if -INTEGER_MAX <= value <= INTEGER_MAX:
            return value
    raise CanonicalError("an integer is beyond ±(2^53-1)")


def _no_float(digits: str) -> NoReturn:
    raise CanonicalError(f"{digits[:40]} is not an integer; no other numbers are allowed")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    keys = tuple(value)
    if len(keys) != len(pairs):
        raise CanonicalError("an object has the same key twice")
    if keys not in _good_keys:
        for key in keys:
            if _KEY(key) is None:
                raise CanonicalError(f"the key {key[:40]!r} is not of the form [a-z][a-z0-9_]*")
        if list(keys) != sorted(keys):
            raise CanonicalError("the keys of an object are not sorted")
        if len(_good_keys) < _GOOD_KEYS_MAX and sum(map(len, keys)) <= _GOOD_KEYS_LENGTH_MAX:
            _good_keys.add(keys)
    return value


_decode = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_no_float,
    parse_constant=_no_float,
).decode
_encode = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
).encode


def encode(value: object) -> bytes:
    """The canonical bytes of `value` (None, bool, int, str, list and dict with str keys, nested).

    Raises CanonicalError for anything that has no canonical form. Source: RFC 8785, restricted.
    """
    _check(value, 1)
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as error:
        raise CanonicalError("a string holds a lone surrogate") from error


def parse(data: bytes | str) -> Any:
    """The value of a canonical text; raises CanonicalError for any other text.

    Never recurses deeper than the text nests, and the text may nest 16 deep at most.
    """
    try:
        if isinstance(data, str):
            text = data
            text.encode()
        else:
            text = data.decode()
    except UnicodeError as error:
        raise CanonicalError("the text is not valid UTF-8") from error
    if text.count("{") + text.count("[") > DEPTH_MAX:
        _check_depth(text)
    try:
        value = _decode(text)
    except CanonicalError:
        raise
    except (ValueError, RecursionError) as error:
        raise CanonicalError("the text is not JSON") from error
    # The hooks have seen every key and number. What is left is white space and escapes; a text
    # without any such character has neither, else writing the value again shows whether it has.
    if "\\" in text or " " in text or "\n" in text or "\t" in text or "\r" in text:
        if _encode(value) != text:
            raise CanonicalError("the text is JSON, but not in canonical form")
        if "\\u0000" in text:
            _check(value, 1)
    return value


def from_base64(text: object) -> bytes:
    """The bytes of a strict RFC 4648 section 4 text: padded, no stray bits, no line breaks."""
    if type(text) is not str:
        raise CanonicalError("base64 is a string")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CanonicalError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise CanonicalError("not strict base64")
    return data


def to_base64(data: bytes) -> str:
    """The padded RFC 4648 section 4 text of `data`."""
    return base64.b64encode(data).decode()


def depth(value: object, limit: int = DEPTH_MAX) -> int:
    """How deep objects and arrays nest in `value` (0 for a scalar); stops at `limit` + 1."""
    if type(value) is dict:
        items = value.values()
    elif type(value) is list:
        items = value  # type: ignore[assignment]  # a list and a dict view are both iterated below
    else:
        return 0
    deepest = 1
    for item in items:
        if type(item) is dict or type(item) is list:
            if limit <= 1:
                return limit + 1
            deepest = max(deepest, 1 + depth(item, limit - 1))
    return deepest


def _check_depth(text: str) -> None:
    level = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        if bracket in "{[":
            level += 1
            if level > DEPTH_MAX:
                raise CanonicalError(f"the text nests deeper than {DEPTH_MAX}")
        else:
            level -= 1


def _check(value: object, level: int) -> None:
    kind = type(value)
    if kind is str:
        if "\0" in value:  # type: ignore[operator]  # `kind` says that it is a str
            raise CanonicalError("a string holds U+0000")
    elif kind is int:
        if not -INTEGER_MAX <= value <= INTEGER_MAX:  # type: ignore[operator]  # an int, see `kind`
            raise CanonicalError("an integer is beyond ±(2^53-1)")
    elif kind is dict or kind is list:
        if level > DEPTH_MAX:
            raise CanonicalError(f"the value nests deeper than {DEPTH_MAX}")
        if isinstance(value, dict):
            for key in value:
                if type(key) is not str or _KEY(key) is None:
                    raise CanonicalError(f"the key {key!r} is not of the form [a-z][a-z0-9_]*")
            for item in value.values():
                _check(item, level + 1)
        elif isinstance(value, list):
            for item in value:
                _check(item, level + 1)
    elif value is not None and kind is not bool:
        raise CanonicalError(f"a {kind.__name__} has no canonical form")
