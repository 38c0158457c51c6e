"""Anchors: heads of audit chains, signed by the log's key and kept outside the database.

A chain by itself does not tell whether its end was cut off, or written anew with all that follows.
Whoever has the database can do either; nobody without the key can sign another head.

Rules: an anchor is a signed note (C2SP signed-note, Ed25519) of six lines: `amply/audit-head/v1`,
the log's origin, the chain's name, the last record's position, its hash in hex, and when that was
seen. Its key is the log's. The newest anchor of a chain stands for all before it, since none is
signed but after the chain was followed from the one before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from amply_verify.errors import NoteError
from amply_verify.kinds import is_hash
from amply_verify.note import VerifierKey, split_note, verify_note
from ledger.audit import EMPTY, AuditError, Head
from ledger.checkpoint import Signer
from ledger.entry import spell_time

FORMAT: Final = "amply/audit-head/v1"
#: Records younger than that are never dropped (audit.kept() in PostgreSQL says the same).
KEPT: Final = timedelta(days=7 * 365)


class AnchorError(ValueError):
    """The anchors cannot be trusted: restore the file from its copy."""


class Anchor(NamedTuple):
    """That `chain` ended with `head` at `moment` (as entries spell times)."""

    chain: str
    head: Head
    moment: str


def text_of(origin: str, anchor: Anchor) -> str:
    """What is signed."""
    digest = anchor.head.hash.hex() if anchor.head.hash is not None else ""
    lines = (FORMAT, origin, anchor.chain, str(anchor.head.seq), digest, anchor.moment)
    return "".join(f"{line}\n" for line in lines)


def sign(signer: Signer, anchor: Anchor) -> str:
    """The signed note."""
    text = text_of(signer.key.name, anchor)
    return f"{text}\n{signer.line(text)}"


def is_signed_by(note: str, signer: Signer) -> bool:
    """Whether the note names this key."""
    return any(one.key_id == signer.key.key_id for one in split_note(note)[1])


def open_note(note: str, keys: Sequence[VerifierKey]) -> Anchor:
    """The anchor that one of the keys signed; AnchorError."""
    try:
        text, signed = verify_note(note, keys)
    except NoteError as error:
        raise AnchorError(f"an anchor is not signed by the log: {error}") from error
    if not signed:
        raise AnchorError("an anchor is signed by another key than the log's")
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != 6 or lines[0] != FORMAT or lines[1] not in {key.name for key in keys}:
        raise AnchorError("what the log signed is no anchor")
    _, _, chain, seq, digest, moment = lines
    if not seq.isdecimal() or is_hash(digest) is None:
        raise AnchorError(f"the anchor of {chain} names no record")
    return Anchor(chain, Head(int(seq), bytes.fromhex(digest)), moment)


def write(notes: Iterable[str]) -> bytes:
    """The file of the newest note of each chain: notes, an empty line after each."""
    return "".join(f"{note}\n" for note in notes).encode()


def read(data: bytes, keys: Sequence[VerifierKey]) -> dict[str, tuple[Anchor, str]]:
    """Anchors, with their notes, by chain; AnchorError when one is not the log's."""
    found: dict[str, tuple[Anchor, str]] = {}
    try:
        parts = data.decode().split("\n\n")
    except UnicodeDecodeError as error:
        raise AnchorError("the file of anchors is no text") from error
    if len(parts) % 2 != 1 or parts[-1]:
        raise AnchorError("the file of anchors was cut")
    for text, signatures in zip(parts[:-1:2], parts[1::2], strict=True):
        note = f"{text}\n\n{signatures}\n"
        anchor = open_note(note, keys)
        if anchor.chain in found:
            raise AnchorError(f"{anchor.chain} has two anchors")
        found[anchor.chain] = anchor, note
    return found


def start_of(anchor: Anchor | None, dropped: Head, now: datetime) -> Head:
    """From where a stored chain is followed, so that it goes on from its anchor.

    `dropped` is the last record that retention took. AuditError when it took one before its time.
    """
    if anchor is None:
        return dropped
    if dropped.seq < anchor.head.seq:
        return anchor.head
    if dropped == anchor.head or anchor.moment <= spell_time(now - KEPT):
        return dropped
    raise AuditError(anchor.head.seq, "was anchored and is gone before its time")


def missing(anchors: Mapping[str, Anchor], stored: Mapping[str, Head]) -> Anchor | None:
    """An anchor whose chain is gone, or ends before it; None when all are there."""
    for chain, anchor in sorted(anchors.items()):
        if stored.get(chain, EMPTY).seq < anchor.head.seq:
            return anchor
    return None
