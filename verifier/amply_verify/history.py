"""Whether two checkpoints of a log are of one history, or prove that it has two.

A log is append-only: of any two checkpoints, the tree of the smaller is a prefix of the larger's.
Two signed notes of which that is not true are a proof of a fork, which nobody but the holder of the
log's key can have made. The tiles that the proof is made of need no trust: they lead to the larger
checkpoint's signed root or are of no use.
"""

from typing import NamedTuple

from amply_verify.errors import InvalidError, ProofError, UnreadableError
from amply_verify.log_files import tile_tree
from amply_verify.note import Checkpoint
from amply_verify.source import ReadFile
from amply_verify.tree import EMPTY_ROOT, verify_consistency
from amply_verify.trust import Signed


class Side(NamedTuple):
    """A checkpoint to compare: where it is from, its note, and what reads the tiles beside it."""

    name: str
    note: str
    signed: Signed
    read: ReadFile | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that was signed."""
        return self.signed.checkpoint


class Comparison(NamedTuple):
    """Two checkpoints of a log: `root` is what the larger one's history had at the smaller's size.

    `proof` is the consistency proof from there to the larger one's root.
    """

    smaller: Side
    larger: Side
    root: bytes
    proof: list[bytes]

    @property
    def forked(self) -> bool:
        """Whether the smaller checkpoint is not of the larger one's history."""
        return self.root != self.smaller.checkpoint.root


def compare(one: Side, other: Side) -> Comparison:
    """Compare two checkpoints of one log; raises UnreadableError where no tiles tell."""
    smaller, larger = sorted((one, other), key=lambda side: side.checkpoint.size)
    faults: list[str] = []
    size = smaller.checkpoint.size
    if size in (0, larger.checkpoint.size):
        return Comparison(smaller, larger, *prefix_root(size, larger.checkpoint, None))
    for side in (larger, smaller):
        if side.read is not None:
            try:
                found = prefix_root(size, larger.checkpoint, side.read)
            except (InvalidError, UnreadableError) as error:
                faults.append(f"; {side.name}: {error}")
            else:
                return Comparison(smaller, larger, *found)
    raise UnreadableError(
        f"cannot tell without tiles whether {size} entries are the first of"
        f" {larger.checkpoint.size}; give the folder or the address of a log or mirror that holds"
        f" {larger.checkpoint.size} entries{''.join(faults)}"
    )


def prefix_root(
    old_size: int, checkpoint: Checkpoint, read: ReadFile | None
) -> tuple[bytes, list[bytes]]:
    """The root at `old_size` in the history of `checkpoint`, with the proof that leads there.

    Raises ProofError when the tiles are not those of `checkpoint`, UnreadableError when one is
    missing. Sizes that need no tiles need no `read`.
    """
    if old_size == checkpoint.size:
        return checkpoint.root, []
    if old_size == 0 or read is None:
        return EMPTY_ROOT, []
    tree = tile_tree(read, checkpoint.size)
    root, proof = tree.root(old_size), tree.prove_consistency(old_size)
    try:
        verify_consistency(old_size, root, checkpoint.size, checkpoint.root, proof)
    except ProofError as error:
        raise ProofError("the tiles do not lead to the root of their checkpoint") from error
    return root, proof


def check_prefix(old: Checkpoint, checkpoint: Checkpoint, read: ReadFile) -> None:
    """The log of `old` is a prefix of that of `checkpoint`; raises ProofError."""
    if old.size > checkpoint.size:
        raise ProofError(f"the log once had {old.size} entries, now {checkpoint.size}")
    if prefix_root(old.size, checkpoint, read)[0] != old.root:
        raise ProofError(f"the log's first {old.size} entries are not those of back then")
