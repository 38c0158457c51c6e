"""The Merkle tree of RFC 6962 / RFC 9162: hashes, an append-only frontier, proofs and their checks.

Leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), the root of no leaves is
SHA-256 of nothing. Proofs are lists of 32-byte hashes, leaf side first.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from amply_verify.errors import ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

ReadNode = Callable[[int, int], bytes]
"""(height, position) -> hash of the complete subtree over leaves position*2^height onwards."""


def leaf_hash(entry: bytes) -> bytes:
    """The leaf hash of an entry's bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The hashes of the complete subtrees of a growing tree, largest first.

    `size` leaves need as many hashes as `size` has one bits, so a tree of any size continues from
    this state alone. Appending costs one node hash on average.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count():
            raise ProofError(f"a frontier of {size} leaves has {size.bit_count()} hashes")
        if any(len(item) != HASH_BYTES for item in self.hashes):
            raise ProofError("a frontier holds hashes of 32 bytes")

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        carry = self.size
        hashes = self.hashes
        while carry & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            carry >>= 1
        hashes.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root hash of the leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        result = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            result = node_hash(left, result)
        return result

    def copy(self) -> "Frontier":
        """A frontier that grows on its own."""
        return Frontier(self.size, self.hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def range_hash(start: int, end: int, read_node: ReadNode) -> bytes:
    """The hash of leaves [start, end) as one subtree of RFC 6962; `start` is aligned to its size.

    The range splits into complete subtrees, largest first, which fold from the right.
    """
    parts: list[bytes] = []
    while start < end:
        height = (end - start).bit_length() - 1
        parts.append(read_node(height, start >> height))
        start += 1 << height
    result = parts.pop()
    while parts:
        result = node_hash(parts.pop(), result)
    return result


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose hashes prove leaf `index` in a tree of `size`, leaf side first."""
    if not 0 <= index < size:
        raise ProofError(f"index {index} is not in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    ranges.reverse()
    return ranges


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose hashes prove that a tree of `old_size` is a prefix of one of `size`."""
    if not 0 < old_size <= size:
        raise ProofError(f"no consistency proof leads from size {old_size} to {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        # The old root itself is known to the verifier, any smaller subtree of it is not.
        ranges.append((start, end))
    ranges.reverse()
    return ranges


def prove_inclusion(index: int, size: int, read_node: ReadNode) -> list[bytes]:
    """The inclusion proof of leaf `index` in a tree of `size` leaves (RFC 6962 section 2.1.1)."""
    return [range_hash(start, end, read_node) for start, end in inclusion_ranges(index, size)]


def prove_consistency(old_size: int, size: int, read_node: ReadNode) -> list[bytes]:
    """The consistency proof from `old_size` > 0 to `size` (RFC 6962 section 2.1.2)."""
    return [range_hash(start, end, read_node) for start, end in consistency_ranges(old_size, size)]


def node_reader(leaves: Sequence[bytes]) -> ReadNode:
    """Reads nodes of a tree whose leaf hashes are all in memory."""

    def read_node(height: int, position: int) -> bytes:
        return fold(leaves[position << height : (position + 1) << height])

    return read_node


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [
            sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)
        ]
    return level[0]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` is at `index` in the tree (size, root).

    Raises ProofError. Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofError(f"index {index} is not in a tree of {size}")
    position, last = index, size - 1
    result = leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof has a hash too many")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the inclusion proof has a hash too few")
    if result != root:
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree (old_size, old_root) is a prefix of the tree (size, root).

    From size 0 and between equal sizes the proof is empty. Raises ProofError.
    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {old_size} leaves is no prefix of one of {size}")
    if old_size == size or old_size == 0:
        expected = root if old_size == size else EMPTY_ROOT
        if proof or old_root != expected:
            raise ProofError("the older tree is no prefix of this one")
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofError("the consistency proof is empty")
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_result = result = hashes[0]
    for item in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency proof has a hash too many")
        if position & 1 or position == last:
            old_result = node_hash(item, old_result)
            result = node_hash(item, result)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, item)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the consistency proof has a hash too few")
    if old_result != old_root or result != root:
        raise ProofError("the older tree is no prefix of this one")


def _split(count: int) -> int:
    """The largest power of two below `count` (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)
