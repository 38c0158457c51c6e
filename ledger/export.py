"""Exports: everything of one organization, line by line (ledger format, section 8).

Rules: line 1 names the checkpoint, the number of entries and the last one's place in the tree; then
come the entries in the order of `seq`, each with those openings that its reader may see. Entries
after the checkpoint are left out, so that an export is the log as one checkpoint shows it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from amply_verify import canonical
from amply_verify.note import parse_checkpoint, split_note
from amply_verify.tiles import TileTree
from ledger.export_entry import StoredEntry
from ledger.membership import Membership, spell_proof
from ledger.receipt import spell_openings, spell_text

FORMAT: Final = "amply/ledger-export/v1"


class ExportError(ValueError):
    """The export cannot be written as asked; the message says why."""


def first_line(
    organization: str,
    entries: int,
    head_index: int,
    note: str,
    proofs: TileTree,
    since: int | None = None,
    census: Membership | None = None,
) -> bytes:
    """Line 1: `entries` of the organization are in the checkpoint's tree, the last at `head_index`.

    With `since` > 0, below the checkpoint's size, it proves that the tree of that size is a prefix;
    with a `census` in this tree, that the census counts this chain.
    """
    if entries < 1:
        raise ExportError("the organization has no entry in this checkpoint yet")
    checkpoint = parse_checkpoint(split_note(note)[0])
    value: dict[str, Any] = {
        "checkpoint": note,
        "entries": entries,
        "format": FORMAT,
        "head": {
            "index": head_index,
            "proof": spell_proof(proofs.prove_inclusion(head_index, checkpoint.size)),
        },
        "org": organization,
        "origin": checkpoint.origin,
    }
    if since is not None and 0 < since < checkpoint.size:
        proof = proofs.prove_consistency(since, checkpoint.size)
        value["consistency"] = {"proof": spell_proof(proof), "size": since}
    if census is not None:
        value["census"] = census.spell(proofs, checkpoint.size)
    return canonical.encode(value) + b"\n"


def line(entry: StoredEntry, openings: Mapping[str, bytes]) -> bytes:
    """The line of an entry; `openings` maps sealed sections to their openings' canonical JSON."""
    spelled = (spell_text(entry.data), entry.index, spell_openings(openings))
    return b'{"entry":%b,"index":%d,"openings":%b}\n' % spelled


def lines(
    entries: Iterable[StoredEntry],
    openings: Mapping[int, Mapping[str, bytes]],
    sections: Collection[str],
) -> Iterator[bytes]:
    """The lines of entries in the order of `seq`.

    `openings` maps an entry's index to its openings by section; of these, only `sections` are
    shown: the reader's right, which the caller decided.
    """
    for entry in entries:
        shown = openings.get(entry.index, {})
        yield line(entry, {name: shown[name] for name in sections if name in shown})
