"""Verification of a receipt: a C2SP tlog-proof whose `extra` holds an entry and openings.

Section 7. The steps bear the numbers of the same steps of an export: 1 checkpoint, 2 form, 3 entry,
5 openings, 6 money, 8 place in the tree.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from amply_verify import canonical
from amply_verify.entry import Entry, open_sections, parse_entry
from amply_verify.errors import InvalidError, RefusedError, Step
from amply_verify.money import Postings, parse_postings
from amply_verify.tree import HASH_BYTES, leaf_hash, verify_inclusion
from amply_verify.trust import Signed, Trust, open_trusted

CHECKPOINT, FORM, ENTRY, OPENINGS, MONEY, PLACE = 1, 2, 3, 5, 6, 8
FORMAT = "c2sp.org/tlog-proof@v1"
RECEIPT_BYTES_MAX = 1_048_576
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})").fullmatch
_FIELDS = frozenset(("entry", "openings"))


class Receipt(NamedTuple):
    """The parts of a receipt, nothing of them verified."""

    entry: str
    openings: dict[str, Any]
    position: int
    """The leaf's index in the log."""
    proof: list[bytes]
    checkpoint: str


@dataclass(slots=True)
class ReceiptReport:
    """A verified receipt: the entry is in the log. `opened` holds the sections that were given."""

    entry: Entry
    index: int
    signed: Signed
    opened: dict[str, dict[str, Any]]
    postings: Postings | None


def format_receipt(receipt: Receipt) -> bytes:
    """The bytes of a `.tlog-proof` file; the checkpoint is taken over as it is."""
    extra = canonical.encode({"entry": receipt.entry, "openings": receipt.openings})
    proof = "".join(f"{canonical.to_base64(item)}\n" for item in receipt.proof)
    return (
        f"{FORMAT}\nextra {canonical.to_base64(extra)}\nindex {receipt.position}\n{proof}\n"
        f"{receipt.checkpoint}"
    ).encode()


def verify_receipt(data: bytes, trust: Trust) -> ReceiptReport:
    """Verify a receipt's bytes; raises RefusedError with the first step that fails."""
    step: Step = FORM
    seq: int | None = None
    try:
        text, note = _split(data)
        step = CHECKPOINT
        signed = open_trusted(note, trust)
        step = FORM
        receipt = _parse(text, note)
        step = ENTRY
        entry = parse_entry(receipt.entry, signed.checkpoint.origin)
        seq = entry.seq
        step = OPENINGS
        opened = open_sections(entry, receipt.openings, {})
        step = MONEY
        section = entry.shown.get("money", opened.get("money"))
        postings = None if section is None else parse_postings(section)
        step = PLACE
        verify_inclusion(
            leaf_hash(receipt.entry.encode()),
            receipt.position,
            signed.checkpoint.size,
            receipt.proof,
            signed.checkpoint.root,
        )
    except InvalidError as error:
        raise RefusedError(step, str(error), seq) from error
    return ReceiptReport(entry, receipt.position, signed, opened, postings)


def parse_receipt(data: bytes) -> Receipt:
    """The parts of a receipt's bytes; raises InvalidError when the form is broken."""
    return _parse(*_split(data))


def _split(data: bytes) -> tuple[str, str]:
    """The proof's own lines and the checkpoint after the first empty line."""
    if len(data) > RECEIPT_BYTES_MAX:
        raise InvalidError(f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidError("the receipt is not UTF-8 text") from error
    # Without this line the file is something else, and has no checkpoint that could be looked at.
    if not text.startswith(f"{FORMAT}\n"):
        raise InvalidError(f"the first line is not {FORMAT}")
    head, blank, note = text.partition("\n\n")
    if not blank:
        raise InvalidError("the receipt has no empty line before its checkpoint")
    return head, note


def _parse(head: str, note: str) -> Receipt:
    lines = head.split("\n")
    if len(lines) < 3 or not lines[1].startswith("extra "):
        raise InvalidError("the second line is no extra line; Amply's receipts have one")
    position = _INDEX(lines[2])
    if position is None:
        raise InvalidError("the third line is no index line")
    proof = [canonical.from_base64(line) for line in lines[3:]]
    if any(len(item) != HASH_BYTES for item in proof):
        raise InvalidError("the proof does not hold hashes of 32 bytes")
    extra = canonical.parse(canonical.from_base64(lines[1].removeprefix("extra ")))
    if type(extra) is not dict or extra.keys() != _FIELDS:
        raise InvalidError("extra holds entry, openings and nothing else")
    if type(extra["entry"]) is not str or type(extra["openings"]) is not dict:
        raise InvalidError("extra holds an entry's text and openings")
    return Receipt(extra["entry"], extra["openings"], int(position[1]), proof, note)
