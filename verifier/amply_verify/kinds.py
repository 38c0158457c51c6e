"""The table of kinds (section 5): which sections and reference an entry of each kind has.

R required, o optional, - forbidden; `full`: always public_full; `platform`: recorded by the log's
platform organization only. The checks of the `details` that a kind prescribes are named beside it.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from amply_verify.errors import EntryError, NoteError
from amply_verify.note import parse_verifier_key

VISIBILITIES = frozenset(("public_full", "public_aggregated", "delayed_public", "internal_only"))

is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
is_fund = re.compile(r"fund_[0-7][0-9a-hjkmnp-tv-z]{25}").fullmatch
_is_currency = re.compile(r"[A-Z]{3}").fullmatch
_is_month = re.compile(r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])").fullmatch
_is_total = re.compile(r"0|-?[1-9][0-9]*").fullmatch
_TOTAL_FIELDS = frozenset(("currency", "entries", "expenses", "fund", "income"))

Details = dict[str, Any]


class Kind(NamedTuple):
    """What an entry of one kind must and may have, beside the fields that every entry has."""

    required: frozenset[str]
    allowed: frozenset[str]
    full: bool
    platform: bool
    check_details: Callable[[Details], None] | None


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise EntryError(message)


def _text(details: Details, name: str) -> str:
    value = details.get(name)
    if type(value) is not str:
        raise EntryError(f"details.{name} is not a string")
    return value


def _count(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _check_genesis(details: Details) -> None:
    _need(_text(details, "name") != "", "a genesis names its organization")
    _text(details, "origin")


def _check_visibility_change(details: Details) -> None:
    _need(_text(details, "to") in VISIBILITIES, "details.to is no visibility")


def _check_erasure(details: Details) -> None:
    _need(details.get("sections") == ["donor"], 'details.sections of an erasure is ["donor"]')
    _text(details, "basis")


def _check_statement(details: Details) -> None:
    _need(_is_month(_text(details, "period")) is not None, "details.period is no month YYYY-MM")
    totals = details.get("totals")
    if type(totals) is not list:
        raise EntryError("details.totals is not a list")
    before: tuple[str, str] | None = None
    for row in totals:
        _check_total(row)
        pair = (row["fund"], row["currency"])
        _need(before is None or before < pair, "totals are not sorted by fund, then currency")
        before = pair


def _check_total(row: object) -> None:
    if type(row) is not dict or row.keys() != _TOTAL_FIELDS:
        raise EntryError("a total has currency, entries, expenses, fund, income and nothing else")
    if any(type(row[name]) is not str for name in _TOTAL_FIELDS - {"entries"}):
        raise EntryError("currency, expenses, fund and income of a total are strings")
    _need(_count(row["entries"], 1), "a total counts at least one entry")
    _need(_is_currency(row["currency"]) is not None, "a currency is three capital letters")
    _need(is_fund(row["fund"]) is not None, "a fund is fund_ and a TypeID suffix")
    for name in ("income", "expenses"):
        _need(_is_total(row[name]) is not None, f"{name} of a total is not a whole number")


def _check_census(details: Details) -> None:
    _need(_count(details.get("orgs"), 0), "details.orgs is not a count")
    _need(is_hash(_text(details, "root")) is not None, "details.root is not a hash in hex")


def _check_key_change(details: Details) -> None:
    for name in ("from", "to"):
        try:
            parse_verifier_key(_text(details, name))
        except NoteError as error:
            raise EntryError(f"details.{name} is no verifier key: {error}") from error
    _need(_count(details.get("until"), 0), "details.until is not a tree size")


_ALWAYS = frozenset(("v", "id", "org", "seq", "prev", "kind", "time", "visibility"))


def _kind(
    columns: str,
    marks: str = "",
    check_details: Callable[[Details], None] | None = None,
) -> Kind:
    names = ("ref", "money", "details", "donor")
    marked = dict(zip(names, columns.split(), strict=True))
    required = frozenset(name for name in names if marked[name] == "R")
    optional = frozenset(name for name in names if marked[name] == "o")
    return Kind(
        required=_ALWAYS | required,
        allowed=_ALWAYS | required | optional,
        full="F" in marks,
        platform="P" in marks,
        check_details=check_details,
    )


_INCOMING = _kind("o R o o")
_PLAIN = _kind("o R o -")
_MOVE = _kind("- R o -")
_CORRECTION = _kind("R R o -")

# kind: ref money details donor, marks, prescribed details
KINDS: dict[str, Kind] = {
    "genesis": _kind("- - R -", "F", _check_genesis),
    "donation": _INCOMING,
    "offline_donation": _INCOMING,
    "grant": _INCOMING,
    "matching": _INCOMING,
    "interest": _PLAIN,
    "fee": _PLAIN,
    "expense": _PLAIN,
    "payout": _PLAIN,
    "allocation": _MOVE,
    "transfer_out": _MOVE,
    "transfer_in": _MOVE,
    "refund": _CORRECTION,
    "refund_failed": _CORRECTION,
    "dispute_withdrawn": _CORRECTION,
    "dispute_reinstated": _CORRECTION,
    "payout_failed": _CORRECTION,
    "adjustment": _CORRECTION,
    "visibility_change": _kind("R - R -", "F", _check_visibility_change),
    "erasure": _kind("R - R -", "F", _check_erasure),
    "statement": _kind("- - R -", "F", _check_statement),
    "census": _kind("- - R -", "F P", _check_census),
    "key_change": _kind("- - R -", "F P", _check_key_change),
}
