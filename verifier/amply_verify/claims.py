"""Audit step A7: what receipts and exports say of the log, compared with the log itself.

The bytes are compared at their index. An export's lines must also be its organization's whole chain
in the log of its checkpoint: line by line the next seq, and nothing left out at the end. The
checkpoints in these files are older checkpoints like any others.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amply_verify.errors import InvalidError, RefusedError, UnreadableError
from amply_verify.export_form import parse_first, parse_row, read_lines
from amply_verify.history import check_prefix
from amply_verify.log_chains import LogChains
from amply_verify.note import Checkpoint, open_checkpoint
from amply_verify.receipt import parse_receipt
from amply_verify.source import ReadFile, read_bounded
from amply_verify.tree import HASH_BYTES, leaf_hash
from amply_verify.trust import Trust

STEP = "A7"


@dataclass(slots=True)
class Claim:
    """What one file says: `leaves` (joined hashes) at `indexes`, which grow.

    `note` is its checkpoint; `org` the organization whose whole chain it claims to be.
    """

    name: str
    note: str | None = None
    org: str | None = None
    indexes: "array[int]" = field(default_factory=lambda: array("Q"))
    leaves: bytearray = field(default_factory=bytearray)
    fault: RefusedError | None = None

    def add(self, index: int, leaf: bytes) -> None:
        """Say what is at `index`."""
        self.indexes.append(index)
        self.leaves += leaf

    def between(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What is said of indexes from `start` to before `end`."""
        for position in range(*(bisect_left(self.indexes, bound) for bound in (start, end))):
            first = position * HASH_BYTES
            yield self.indexes[position], bytes(self.leaves[first : first + HASH_BYTES])


def claim_of_receipt(path: str) -> Claim:
    """What a receipt says; raises UnreadableError when the file is none."""
    try:
        receipt = parse_receipt(read_bounded(Path(path)))
    except InvalidError as error:
        raise UnreadableError(f"{path} is no receipt: {error}") from error
    claim = Claim(path, receipt.checkpoint)
    claim.add(receipt.position, leaf_hash(receipt.entry.encode()))
    return claim


def claim_of_export(path: str) -> Claim:
    """What an export says; raises UnreadableError when the file is none."""
    try:
        with Path(path).open("rb") as stream:
            lines = read_lines(stream)
            first = parse_first(next(lines, b""))
            claim = Claim(path, first["checkpoint"], str(first.get("org")))
            for seq, line in enumerate(lines):
                _add_line(claim, seq, line)
    except InvalidError as error:
        raise UnreadableError(f"{path} is no export: {error}") from error
    return claim


def _add_line(claim: Claim, seq: int, line: bytes) -> None:
    if claim.fault is not None:
        return
    row = parse_row(line, str(claim.org))
    said = row.value.get("seq") if type(row.value) is dict else None
    if said != seq:
        message = f"{claim.name} holds seq {said} where seq {seq} is due"
    elif claim.indexes and row.index <= claim.indexes[-1]:
        message = f"{claim.name}: the index does not grow at seq {seq}"
    else:
        claim.add(row.index, leaf_hash(row.text))
        return
    claim.fault = RefusedError(STEP, message, seq, row.index)


def check_claims(
    claims: Sequence[Claim],
    others: Sequence[tuple[int, int]],
    chains: LogChains,
    checkpoint: Checkpoint,
    read: ReadFile,
    trust: Trust,
) -> None:
    """Compare what is left after the parts; `others` are (index, claim) whose bytes differ.

    Raises RefusedError, for the lowest index where there is one.
    """
    size = checkpoint.size
    if others:
        index, number = min(others)
        message = f"{claims[number].name} holds another entry than the log at index {index}"
        raise RefusedError(STEP, message, index=index)
    for claim in claims:
        if claim.fault is not None:
            raise claim.fault
        if claim.indexes and claim.indexes[-1] >= size:
            index = claim.indexes[bisect_left(claim.indexes, size)]
            message = f"{claim.name} knows index {index}, the log ends at {size}"
            raise RefusedError(STEP, message, index=index)
        if claim.note is not None:
            try:
                old, _ = open_checkpoint(claim.note, trust.key)
                check_prefix(old, checkpoint, read)
            except InvalidError as error:
                raise RefusedError(STEP, f"{claim.name}: {error}") from error
            _check_whole(claim, old, chains)


def _check_whole(claim: Claim, old: Checkpoint, chains: LogChains) -> None:
    """An export leaves out nothing that its organization had in the log of its checkpoint."""
    head = None if claim.org is None else chains.heads.get(claim.org)
    count = 0 if head is None else chains.store.count(head.number, old.size)
    if claim.org is not None and count != len(claim.indexes):
        message = (
            f"{claim.name} holds {len(claim.indexes)} entries of {claim.org},"
            f" the log of its checkpoint has {count}"
        )
        raise RefusedError(STEP, message)
