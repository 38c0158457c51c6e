"""Entries as the API spells them: pages in the order of `seq`, single ones, their openings.

An answer may be kept until the business clock opens more of what it shows, and no longer.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from asyncpg import Record

from edge.errors import ProblemError
from edge.ledger.openings import Shown
from edge.times import seconds_between
from ledger.visibility import Label


def page(rows: Sequence[Record], limit: int, shown: Shown) -> bytes:
    """A page of the first `limit` rows as JSON; one row more tells that there is another page."""
    has_more = len(rows) > limit
    value = {
        "object": "list",
        "has_more": has_more,
        "next_cursor": cursor_of(rows[limit]["seq"]) if has_more else None,
        "data": [entry(row, shown) for row in rows[:limit]],
    }
    return orjson.dumps(value)


def entry(row: Record, shown: Shown) -> dict[str, Any]:
    """An entry with its newest label and the openings that the reader is given."""
    openings = shown.openings.get(row["id"], {})
    return text(row) | label(shown.labels[row["id"]]) | {"openings": _spell(openings)}


def text(row: Record) -> dict[str, Any]:
    """What of an entry never changes."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "seq": row["seq"],
        "index": row["index"],
        "entry": row["bytes"].decode(),
    }


def openings(identifier: str, shown: Shown) -> dict[str, Any]:
    """What of an entry may change: its newest label, and what that opens."""
    return {
        "object": "openings",
        "entry": identifier,
        **label(shown.labels[identifier]),
        "openings": _spell(shown.openings.get(identifier, {})),
    }


def label(value: Label) -> dict[str, Any]:
    """The newest visibility, and its day if it has one."""
    return {"visibility": value.visibility, "public_after": value.public_after}


def age_s_max(shown: Shown, now: str, most_s: int) -> int:
    """For how long an answer made at `now` may be kept, at most `most_s`."""
    if shown.next_opening is None:
        return most_s
    return min(most_s, int(seconds_between(now, shown.next_opening)))


def cursor_of(seq: int) -> str:
    """An opaque text that names where the next page starts."""
    return base64.urlsafe_b64encode(f"seq:{seq}".encode()).decode().rstrip("=")


def seq_of(cursor: str) -> int:
    """The inverse of `cursor_of`; ProblemError 422 for any other text."""
    try:
        spelled = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        seq = int(spelled.removeprefix("seq:"))
    except (binascii.Error, ValueError):
        seq = -1
    if not 0 <= seq < 1 << 62 or cursor_of(seq) != cursor:
        raise ProblemError(
            "query_not_accepted", "`cursor` must be the next_cursor of a page.", param="cursor"
        )
    return seq


def _spell(sections: Mapping[str, bytes]) -> dict[str, orjson.Fragment]:
    return {name: orjson.Fragment(plain) for name, plain in sections.items()}
