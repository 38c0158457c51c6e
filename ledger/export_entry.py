"""What an export shows of an entry: its own text, and those openings that its reader may see.

Rules: what is sealed and not opened is named as sealed, never left out; texts of foreign origin are
written so that they cannot end a line, hide, or turn the reading direction.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from amply_verify.money import Line

#: Details that have a name of their own in every export: what ties an entry to the world outside.
NAMED_DETAILS: Final = (
    "occurred",
    "donation",
    "charge",
    "payout",
    "refund",
    "dispute",
    "balance_transaction",
    "transfer",
)

Money = Literal["none", "shown", "sealed"]

# Control, format (bidirectional ones too), private and unassigned characters below, separators of
# lines: whatever could end a line somewhere or is not seen.
_UNSEEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u115f\\u1160\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\U000e0000-\\U000e0fff]"
)


@dataclass(slots=True)  # Not frozen: one is made for each entry, and freezing triples its cost.
class StoredEntry:
    """An entry as it is stored: its place in the log, its bytes, and the hash of them."""

    index: int
    data: bytes
    leaf_hash: bytes = b""


@dataclass(slots=True)  # As above.
class ShownEntry:
    """An entry as its reader sees it. `postings` are empty unless money is `shown`."""

    index: int
    leaf_hash: bytes
    seq: int
    id: str
    kind: str
    time: str
    visibility: str
    ref: str | None
    money: Money
    postings: list[dict[str, str]]
    details: dict[str, Any] | None


class Figures:
    """What entries add up to: how many, how many sealed by visibility, what each line holds."""

    def __init__(self) -> None:
        self.entries = 0
        self.transactions = 0
        self.sealed: Counter[str] = Counter()
        self.balances_minor: dict[Line, int] = {}
        self.organization_name = ""
        self.first_time = self.last_time = ""

    def add(self, entry: ShownEntry) -> None:
        """Count an entry, in the order of `seq`."""
        if not self.entries:
            self.first_time = entry.time
            self.organization_name = str((entry.details or {}).get("name", ""))
        self.entries += 1
        self.last_time = entry.time
        if entry.money == "shown":
            self.transactions += 1
            balances = self.balances_minor
            for posting in entry.postings:
                line = Line(posting["fund"], posting["account"], posting["currency"])
                balances[line] = balances.get(line, 0) + int(posting["amount"])
        elif entry.money == "sealed":
            self.sealed[entry.visibility] += 1


def read(entry: StoredEntry, openings: Mapping[str, bytes]) -> ShownEntry:
    """An entry with the openings (canonical JSON by section) that its reader may see."""
    value = orjson.loads(entry.data)
    money = _section(value, "money", openings)
    details = _section(value, "details", openings)
    state: Money = "none" if "money" not in value else "sealed" if money is None else "shown"
    return ShownEntry(
        entry.index,
        entry.leaf_hash,
        value["seq"],
        value["id"],
        value["kind"],
        value["time"],
        value["visibility"],
        value.get("ref"),
        state,
        money["postings"] if money is not None else [],
        details,
    )


def spell_plain(text: str) -> str:
    """A text in which every character that is not seen stands as `\\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_escape, text)


def named_details(entry: ShownEntry) -> list[tuple[str, str]]:
    """Those of NAMED_DETAILS that the entry has, as plain text."""
    details = entry.details
    if not details:
        return []
    named = []
    for name in NAMED_DETAILS:
        value = details.get(name)
        if type(value) is str or type(value) is int:
            named.append((name, spell_plain(str(value))))
    return named


def _section(
    value: Mapping[str, Any], name: str, openings: Mapping[str, bytes]
) -> dict[str, Any] | None:
    section: dict[str, Any] | None = value.get(name)
    if section is None or "sealed" not in section:
        return section
    opening = openings.get(name)
    if opening is None:
        return None
    opened: dict[str, Any] = orjson.loads(opening)["value"]
    return opened


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
