"""Identifiers in the shape that Stripe's have: random, or by a seed so that runs repeat."""

import os
import random
import string
import time
from functools import lru_cache

_ALPHABET = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
_LETTER_OF_BYTE = bytes(_ALPHABET[value % len(_ALPHABET)] for value in range(256))
_TIME_LENGTH = 6


class _Seeded:
    """One stream of bytes per prefix, so that more requests (`req_`) move no other ids."""

    def __init__(self) -> None:
        self.seed: str | None = None
        self._streams: dict[str, random.Random] = {}

    def start(self, seed: str) -> None:
        self.seed = seed
        self._streams.clear()

    def bytes(self, prefix: str, length: int) -> bytes:
        stream = self._streams.get(prefix)
        if stream is None:
            stream = random.Random(f"{self.seed}:{prefix}")  # noqa: S311 - repeatable on purpose
            self._streams[prefix] = stream
        return stream.randbytes(length)


_seeded = _Seeded()


def seed(text: str) -> None:
    """Make every id and secret from here on a function of `text` and of how many came before."""
    _seeded.start(text)


def new_id(prefix: str, length: int = 24) -> str:
    """Return `prefix_` and `length` letters and digits, e.g. `pi_1vAbC2...`.

    The first six tell the second: neighbours in time are neighbours in the database's index,
    which halves the work of a commit. Within a second the order is random, as Stripe's is.
    """
    if _seeded.seed is not None:
        return f"{prefix}_{random_text(length, prefix)}"
    return f"{prefix}_{_second(int(time.time()))}{random_text(length - _TIME_LENGTH)}"


def random_text(length: int, stream: str = "text") -> str:
    """Return `length` random letters and digits (about 5.9 bits each)."""
    drawn = os.urandom(length) if _seeded.seed is None else _seeded.bytes(stream, length)
    return drawn.translate(_LETTER_OF_BYTE).decode()


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    digits = bytearray(_TIME_LENGTH)
    for place in range(_TIME_LENGTH - 1, -1, -1):
        seconds, digit = divmod(seconds, len(_ALPHABET))
        digits[place] = _ALPHABET[digit]
    return digits.decode()
