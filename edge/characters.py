"""Texts that people write: what every field refuses, and the sentence that says why.

What is kept are the very characters that were sent: nothing is normalised, cut or cleaned, since
hashes are made of them. Refused is what could not be kept or would disguise what it stands beside.
Sources: UAX #9 (explicit directional formatting), UAX #15 (Stream-Safe Text Format: 30 marks),
Unicode 15, section 23 (invisible characters).
"""

import re
import unicodedata
from typing import Final

MARKS_MAX: Final = 30
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: Embeddings, overrides, isolates: they reorder what follows, beyond the text's own end.
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
#: Letters and symbols by their category that show nothing.
_BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp", "Mn", "Me"})


def line(value: str) -> str:
    """The text when it is one line that shows something; ValueError says what is wrong."""
    return _usable(value, _CONTROL, "control characters or line breaks")


def lines(value: str) -> str:
    """The text when it shows something, with line feeds and tabs; ValueError says what is wrong."""
    return _usable(value, _CONTROL_BUT_LINES, "control characters but line feeds and tabs")


def _usable(value: str, refused: re.Pattern[str], named: str) -> str:
    if not value:  # Whether there must be a text is the field's own rule.
        return value
    if value.isascii():
        if refused.search(value):
            raise ValueError(f"a text holds no {named}")
        if not value.strip():
            raise ValueError("a text shows something: this one is white space")
        return value
    if _SURROGATE.search(value):
        raise ValueError("a text holds whole characters: this one has half of a surrogate pair")
    if refused.search(value):
        raise ValueError(f"a text holds no {named}")
    if _TURNING.search(value):
        raise ValueError("a text holds no characters that turn the direction of others (U+202E)")
    if all(_is_unseen(character) for character in value):
        raise ValueError("a text shows something: these characters are invisible")
    if _longest_stack(value) > MARKS_MAX:
        raise ValueError(f"a letter has at most {MARKS_MAX} combining marks")
    return value


def _is_unseen(character: str) -> bool:
    return character in _BLANK or unicodedata.category(character) in _UNSEEN


def _longest_stack(value: str) -> int:
    longest = marks = 0
    for character in value:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        longest = max(longest, marks)
    return longest
