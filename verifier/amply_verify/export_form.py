"""The form of an export (section 8, step 2): line 1 and the lines of entries.

Every line is canonical, at most 1 MiB and ended by LF. What is inside an entry's text and inside
openings is judged by later steps; only the text's organization belongs to the form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from amply_verify import canonical
from amply_verify.errors import CanonicalError, InvalidError
from amply_verify.tree import HASH_BYTES

FORMAT = "amply/ledger-export/v1"
_REQUIRED = frozenset(("checkpoint", "entries", "format", "head", "org", "origin"))
_ALLOWED = _REQUIRED | {"census", "consistency"}
_ROW_FIELDS = frozenset(("entry", "index", "openings"))
_ROW_START = '{"entry":"'
_ROW_MIDDLE = '","index":'
_ROW_INDEX = re.compile(r'","index":(0|[1-9][0-9]{0,14}),"openings":').match


@dataclass(slots=True)
class Place:
    """A leaf's index with its inclusion proof."""

    index: int
    proof: list[bytes]


class Census(NamedTuple):
    """A census entry's text and place, and the place of the organization in the census's tree."""

    text: str
    place: Place
    member: Place


class Consistency(NamedTuple):
    """A consistency proof from a tree of `size`."""

    size: int
    proof: list[bytes]


class Header(NamedTuple):
    """Line 1, except what step 1 reads of it."""

    org: str
    entries: int
    head: Place
    census: Census | None
    consistency: Consistency | None


@dataclass(slots=True)
class Row:
    """A line of an entry. `value` is None when `text` is not canonical, as `fault` then says."""

    text: bytes
    value: Any
    fault: str | None
    index: int
    openings: dict[str, Any]


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream without their LF; raises InvalidError for one that is too long."""
    while line := stream.readline(canonical.LINE_BYTES_MAX + 1):
        if line[-1:] != b"\n":
            if len(line) > canonical.LINE_BYTES_MAX:
                raise InvalidError(f"the line is longer than {canonical.LINE_BYTES_MAX} bytes")
            raise InvalidError("the last line does not end in a line feed")
        yield line[:-1]


def parse_first(line: bytes) -> dict[str, Any]:
    """Line 1 as far as step 1 needs it: an object whose checkpoint and origin are strings."""
    value = canonical.parse(line)
    if type(value) is not dict:
        raise InvalidError("line 1 is not an object")
    for name in ("checkpoint", "origin"):
        if type(value.get(name)) is not str:
            raise InvalidError(f"line 1 has no {name} that is a string")
    return value


def parse_header(value: dict[str, Any], org: str | None) -> Header:
    """The rest of line 1; `org` is the organization asked for. Raises InvalidError."""
    _check_fields(value, _REQUIRED, _ALLOWED, "line 1")
    if value["format"] != FORMAT:
        raise InvalidError(f"the format is not {FORMAT}")
    if type(value["org"]) is not str:
        raise InvalidError("line 1's org is not a string")
    if org is not None and value["org"] != org:
        raise InvalidError(f"this is an export of {value['org']}, not of {org}")
    entries = _count(value["entries"], "entries")
    if entries == 0:
        raise InvalidError("an export holds at least one entry")
    return Header(
        org=value["org"],
        entries=entries,
        head=_place(value["head"], "head"),
        census=_census(value["census"]) if "census" in value else None,
        consistency=_consistency(value["consistency"]) if "consistency" in value else None,
    )


def parse_row(line: bytes, org: str) -> Row:
    """The line of an entry of `org`; raises InvalidError."""
    row = _usual_row(line)
    if row is None or row.fault is not None:
        row = _any_row(line)
    if type(row.value) is dict and row.value.get("org") != org:
        raise InvalidError(f"the line's entry is not of {org}")
    return row


def _any_row(line: bytes) -> Row:
    value = canonical.parse(line)
    if type(value) is not dict or value.keys() != _ROW_FIELDS:
        raise InvalidError("a line has entry, index, openings and nothing else")
    text, index, openings = value["entry"], value["index"], value["openings"]
    if type(text) is not str or type(index) is not int or index < 0 or type(openings) is not dict:
        raise InvalidError("a line holds an entry's text, an index from 0 on and openings")
    return _row(text, index, openings)


def _usual_row(line: bytes) -> Row | None:
    """The same as `_any_row` for a line as it usually is, several times faster; else None.

    A text without other escapes than of quotes, with all its quotes escaped, ends at the first bare
    quote. If it is itself canonical, it holds nothing that the line would have to escape.
    """
    try:
        line_text = line.decode()
    except UnicodeDecodeError:
        return None
    end = line_text.find(_ROW_MIDDLE, len(_ROW_START))
    middle = _ROW_INDEX(line_text, end) if line_text.startswith(_ROW_START) and end > 0 else None
    if middle is None:
        return None
    escaped = line_text[len(_ROW_START) : end]
    text = escaped.replace('\\"', '"')
    if "\\" in text or text.count('"') != len(escaped) - len(text):
        return None
    rest = line_text[middle.end() :]
    openings: Any = {}
    if rest != "{}}":
        try:
            openings = canonical.parse(rest[:-1])
        except CanonicalError:
            return None
        # The line itself is a level above its openings.
        if (
            rest[-1:] != "}"
            or type(openings) is not dict
            or canonical.depth(openings) >= canonical.DEPTH_MAX
        ):
            return None
    return _row(text, int(middle[1]), openings)


def _row(text: str, index: int, openings: dict[str, Any]) -> Row:
    try:
        return Row(text.encode(), canonical.parse(text), None, index, openings)
    except CanonicalError as error:
        return Row(text.encode(), None, f"the entry is not canonical: {error}", index, openings)


def parse_proof(value: object, name: str) -> list[bytes]:
    """A list of 32-byte hashes in strict base64."""
    if type(value) is not list:
        raise InvalidError(f"the proof of {name} is not a list")
    try:
        proof = [canonical.from_base64(item) for item in value]
    except CanonicalError as error:
        raise InvalidError(f"the proof of {name} is not strict base64") from error
    if any(len(item) != HASH_BYTES for item in proof):
        raise InvalidError(f"the proof of {name} does not hold hashes of 32 bytes")
    return proof


def _census(value: object) -> Census:
    fields = frozenset(("entry", "index", "member", "proof"))
    census = _check_fields(value, fields, fields, "census")
    if type(census["entry"]) is not str:
        raise InvalidError("the census's entry is not a text")
    place = Place(_count(census["index"], "census.index"), parse_proof(census["proof"], "census"))
    return Census(census["entry"], place, _place(census["member"], "census.member"))


def _consistency(value: object) -> Consistency:
    fields = frozenset(("proof", "size"))
    consistency = _check_fields(value, fields, fields, "consistency")
    size = _count(consistency["size"], "consistency.size")
    return Consistency(size, parse_proof(consistency["proof"], "consistency"))


def _place(value: object, name: str) -> Place:
    fields = frozenset(("index", "proof"))
    place = _check_fields(value, fields, fields, name)
    return Place(_count(place["index"], f"{name}.index"), parse_proof(place["proof"], name))


def _check_fields(
    value: object, required: frozenset[str], allowed: frozenset[str], name: str
) -> dict[str, Any]:
    if type(value) is not dict:
        raise InvalidError(f"{name} is not an object")
    if not required <= value.keys() <= allowed:
        raise InvalidError(f"{name} lacks a field or has one too many")
    return value


def _count(value: object, name: str) -> int:
    if type(value) is not int or value < 0:
        raise InvalidError(f"{name} is not a number from 0 on")
    return value
