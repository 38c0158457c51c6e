"""Identifiers: UUIDs that sort by time (RFC 9562 version 7 layout) and their TypeID spelling.

A message that another message causes gets an id derived from its cause, a message that an object
outside causes (a charge, a payout) gets one derived from that object. A repeated delivery, a replay
and a second observer of the same fact therefore all arrive at the same id.
"""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Two digits of base 32 for every ten bits.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
# Python's own base 32 has other letters; what is no letter of ours becomes "!", which it refuses.
_TO_PYTHON = dict.fromkeys(range(128), "!") | str.maketrans(
    _ALPHABET, "0123456789abcdefghijklmnopqrstuv"
)
_SUFFIX_LENGTH = 26
_TIME_MS_MAX = (1 << 48) - 1
#: The last millisecond of the year 9999, where Python's datetimes end.
_DATETIME_MS_MAX = 253_402_300_799_999
_FORTY_BITS = (1 << 40) - 1


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


def starts_with_time(identifier: UUID) -> bool:
    """Whether `time_of` has an answer: an id of other people may start with anything."""
    return identifier.int >> 80 <= _DATETIME_MS_MAX


def type_id(prefix: str, identifier: UUID) -> str:
    """The TypeID spelling `prefix_suffix` (26 characters of Crockford's base 32, lower case)."""
    # Spelled out, since the ledger's writer does this for every entry.
    number, two = identifier.int, _PAIRS
    high, low = number >> 40 & _FORTY_BITS, number & _FORTY_BITS
    return (
        f"{prefix}_{_spell_time(number >> 80)}"
        f"{two[high >> 30]}{two[high >> 20 & 1023]}{two[high >> 10 & 1023]}{two[high & 1023]}"
        f"{two[low >> 30]}{two[low >> 20 & 1023]}{two[low >> 10 & 1023]}{two[low & 1023]}"
    )


@lru_cache(maxsize=4096)  # Ids of one batch share few milliseconds.
def _spell_time(milliseconds: int) -> str:
    return "".join(_PAIRS[milliseconds >> place & 1023] for place in range(40, -1, -10))


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
