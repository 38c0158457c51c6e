"""Reads the form encoding of Stripe's API: `a[b]=c`, `a[]=c` and `a[0]=c` become nested values.

Everything is bounded: bytes by the server, fields and depth here.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from deploy.sandbox.errors import invalid_parameter

FIELDS_MAX = 1000
DEPTH_MAX = 6

Pairs = list[tuple[str, str]]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def read_pairs(text: bytes) -> Pairs:
    """Return the decoded (name, value) pairs in order; raises StripeError (400) if malformed."""
    if not text:
        return []
    try:
        parts = text.decode("ascii").split("&")
        if len(parts) > FIELDS_MAX:
            raise invalid_parameter(f"More than {FIELDS_MAX} parameters.", None)
        pairs = []
        for part in parts:
            name, _, value = part.partition("=")
            if name:
                pairs.append((_decode_name(name), _decode(value)))
        return pairs
    except UnicodeDecodeError:
        raise invalid_parameter("Invalid UTF-8 in the request's parameters.", None) from None


def _decode(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


_decode_name = lru_cache(maxsize=1024)(_decode)


def nest(pairs: Pairs) -> dict[str, Any]:
    """Return the nested form of `pairs`: mappings, lists and strings only."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        if "[" not in name:
            root[name] = value
        else:
            _place(root, name, value)
    return root


def _place(root: dict[str, Any], name: str, value: str) -> None:
    match = _KEY.fullmatch(name)
    if match is None:
        raise invalid_parameter(f"Invalid parameter name: {name[:100]}", name[:100])
    head, tail = match.groups()
    segments = tail[1:-1].split("][")
    if len(segments) > DEPTH_MAX:
        raise invalid_parameter(f"Parameter nested too deeply: {name[:100]}", name[:100])
    holder: Any = root
    place: Any = head
    for segment in segments:
        holder = _descend(holder, place, as_list=segment == "" or segment.isdigit(), name=name)
        place = segment
    if isinstance(holder, list):
        holder.append(value)
    else:
        holder[place] = value


def _descend(holder: Any, place: Any, *, as_list: bool, name: str) -> Any:
    if isinstance(holder, list):
        # Lists of mappings (`a[0][b]`) are used by no parameter that the sandbox knows.
        raise invalid_parameter(f"Received unknown parameter: {name[:100]}", name[:100])
    wanted = list if as_list else dict
    inner = holder.setdefault(place, wanted())
    if not isinstance(inner, wanted):
        raise invalid_parameter(f"Invalid parameter: {name[:100]}", name[:100])
    return inner
