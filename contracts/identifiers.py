"""Identifiers: UUIDs that sort by time (RFC 9562 version 7 layout) and their TypeID spelling.

A message that another message causes gets an id derived from its cause, a message that an object
outside causes (a charge, a payout) gets one derived from that object. A repeated delivery, a replay
and a second observer of the same fact therefore all arrive at the same id.
"""

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TO_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())
# Python's own base 32 has other letters; what is no letter of ours becomes "!", which it refuses.
_TO_PYTHON = dict.fromkeys(range(128), "!") | str.maketrans(
    _ALPHABET, "0123456789abcdefghijklmnopqrstuv"
)
_SUFFIX_LENGTH = 26
_TIME_MS_MAX = (1 << 48) - 1


def random_id(now: datetime) -> UUID:
    """A fresh id that sorts by `now`."""
    return _layout(_milliseconds(now), secrets.token_bytes(10))


def caused_id(cause: UUID, topic: str, ordinal: int = 0) -> UUID:
    """The id of the `ordinal`-th message sent to `topic` because of the message `cause`.

    It keeps the time of the root cause, since every message on the way kept it.
    """
    digest = hashlib.sha256(cause.bytes + f"{topic}\n{ordinal}".encode()).digest()
    return _layout(cause.int >> 80, digest)


def business_id(created: datetime, key: str) -> UUID:
    """The id of the fact that an outside object states, whoever observes it first.

    `created` is the object's own creation time, `key` names object and movement, for instance
    `stripe:acct_1:payout:po_1:paid`.
    """
    return _layout(_milliseconds(created), hashlib.sha256(key.encode()).digest())


def time_of(identifier: UUID) -> datetime:
    """The time that an id of this module starts with, in UTC, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def type_id(prefix: str, identifier: UUID) -> str:
    """The TypeID spelling `prefix_suffix` (26 characters of Crockford's base 32, lower case)."""
    # 20 bytes are 32 digits of base 32; the id is in the last 26 of them.
    digits = base64.b32encode(identifier.int.to_bytes(20, "big")).translate(_TO_CROCKFORD)
    return f"{prefix}_{digits[-_SUFFIX_LENGTH:].decode()}"


def parse_type_id(prefix: str, text: str) -> UUID:
    """The UUID behind a TypeID; ValueError when `text` is not one with this prefix."""
    head, separator, suffix = text.rpartition("_")
    well_formed = head == prefix and separator and len(suffix) == _SUFFIX_LENGTH
    if not well_formed or suffix[0] > "7" or not suffix.isascii():
        raise ValueError(f"not an identifier of the form {prefix}_…")
    try:
        return UUID(int=int(suffix.translate(_TO_PYTHON), 32))
    except ValueError:
        raise ValueError(f"not an identifier of the form {prefix}_…") from None


def _milliseconds(moment: datetime) -> int:
    milliseconds = int(moment.timestamp() * 1000)
    if not 0 <= milliseconds <= _TIME_MS_MAX:
        raise ValueError("an identifier's time must lie between 1970 and 10889")
    return milliseconds


def _layout(time_ms: int, noise: bytes) -> UUID:
    value = int.from_bytes(noise[:10], "big")
    random_a = value >> 68
    random_b = value & ((1 << 62) - 1)
    return UUID(int=time_ms << 80 | 7 << 76 | random_a << 64 | 2 << 62 | random_b)
