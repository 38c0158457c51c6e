"""Membership in a census: its tree, and the proof that one organization is counted in it.

Rules (ledger format, section 5): a leaf is the canonical `{"head","org","seq"}` of the last entry
of an organization before the census, the leaves are sorted by `org`; a proof is given only out of
leaves whose root is the one that the census entry states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from amply_verify import canonical
from amply_verify.tiles import TileTree
from amply_verify.tree import node_hash, prove_inclusion, root_of
from ledger.census import member_leaf


class CensusError(RuntimeError):
    """The stored heads are not those that the census counted. Stop, and compare with the log."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A census entry at `index`, and the proof that its tree counts an organization at `member`."""

    entry: bytes
    index: int
    member: int
    proof: tuple[bytes, ...]

    def spell(self, proofs: TileTree, size: int) -> dict[str, Any]:
        """The value `census` of an export's line 1 (section 8), in a tree of `size` entries."""
        return {
            "entry": self.entry.decode(),
            "index": self.index,
            "member": {"index": self.member, "proof": spell_proof(self.proof)},
            "proof": spell_proof(proofs.prove_inclusion(self.index, size)),
        }


class Members:
    """The tree of one census: whom it counts, sorted by organization; 32 bytes and an id each."""

    def __init__(self, index: int, entry: bytes, heads: Iterable[tuple[str, int, bytes]]) -> None:
        """`heads` are (organization, seq, leaf hash) in any order; raises CensusError."""
        self.index = index
        self.entry = entry
        ordered = sorted(heads)
        self._places = {organization: place for place, (organization, _, _) in enumerate(ordered)}
        leaves = [member_leaf(*head) for head in ordered]
        details = canonical.parse(entry)["details"]
        if (len(leaves), root_of(leaves).hex()) != (details["orgs"], details["root"]):
            raise CensusError(f"the heads before the census at index {index} have another root")
        # Every node is kept, so that a proof at 100 000 organizations is looked up, not hashed.
        self._levels = [leaves]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)  # An odd one out has no node yet.
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def prove(self, organization: str) -> Membership | None:
        """The proof that this census counts the organization; None when it did not exist yet."""
        place = self._places.get(organization)
        if place is None:
            return None
        proof = prove_inclusion(place, len(self._places), self._node)
        return Membership(self.entry, self.index, place, tuple(proof))

    def _node(self, height: int, position: int) -> bytes:
        return self._levels[height][position]


def spell_proof(proof: Sequence[bytes]) -> list[str]:
    """A proof as the format spells it: base64 hashes, leaf side first."""
    return [canonical.to_base64(item) for item in proof]
