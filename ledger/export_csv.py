"""The CSV export: one row a posting, for spreadsheets (RFC 4180).

Rules: an entry without money, or whose money is sealed, has one row that says so; amounts are plain
numbers; a text that a spreadsheet would take for a formula begins with an apostrophe. RFC 4180 has
no comments, so what describes the file (the manifest) stands in a file of its own.
"""

import re
from typing import Any, Final

import orjson

from contracts.money import exponent_of, spell_decimal
from ledger.export_entry import NAMED_DETAILS, ShownEntry

COLUMNS: Final = (
    "seq",
    "posting",
    "index",
    "time",
    "kind",
    "visibility",
    "entry",
    "ref",
    "money",
    "fund",
    "account",
    "currency",
    "amount",
    "amount_minor",
    *NAMED_DETAILS,
    "details",
)
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_IS_PLAIN: Final = re.compile("[A-Za-z0-9_][A-Za-z0-9_:.-]*").fullmatch
_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]|^\s|\s$').search
#: What makes a cell a formula somewhere, the full-width forms included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def head(*, with_byte_order_mark: bool = False) -> bytes:
    """The row of names; some spreadsheets take UTF-8 for what it is only after the mark."""
    return (BYTE_ORDER_MARK if with_byte_order_mark else b"") + ",".join(COLUMNS).encode() + b"\r\n"


def rows(entry: ShownEntry) -> str:
    """The rows of an entry, each ended by CRLF: one a posting, or the only one."""
    # The ledger's own words and ids need no quotes (sections 3 and 5 of its format).
    before = f"{entry.time},{entry.kind},{entry.visibility},{entry.id},{entry.ref or ''}"
    after = _details(entry)
    if entry.money != "shown":
        return f"{entry.seq},,{entry.index},{before},{entry.money},,,,,,{after}\r\n"
    return "".join(
        f"{entry.seq},{number},{entry.index},{before},shown,"
        f"{posting['fund']},{posting['account']},{posting['currency']},"
        f"{spell_decimal(posting['amount'], exponent_of(posting['currency']))},"
        f"{posting['amount']},{after}\r\n"
        for number, posting in enumerate(entry.postings)
    )


def cell(value: Any) -> str:
    """A cell: numbers as they are, texts quoted where needed and never a formula."""
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    text = value if type(value) is str else orjson.dumps(value).decode()
    if _IS_PLAIN(text):
        return text
    if text.startswith(_FORMULA):
        text = "'" + text
    if _NEEDS_QUOTES(text):
        text = '"' + text.replace('"', '""') + '"'
    return text


def _details(entry: ShownEntry) -> str:
    details = entry.details
    if not details:
        return "," * len(NAMED_DETAILS)
    rest = dict(details)
    named = ",".join([cell(rest.pop(name, None)) for name in NAMED_DETAILS])
    return f"{named},{cell(rest) if rest else ''}"
