"""A census's tree: whom it counts, and what an export's reader makes of the proof."""

import hashlib

import pytest

from amply_verify import canonical, tree
from ledger.census import member_leaf
from ledger.membership import CensusError, Members
from tests.ledger.making import name

Head = tuple[str, int, bytes]


def heads(count: int) -> list[Head]:
    return [
        (name("org", number), number, hashlib.sha256(b"%d" % number).digest())
        for number in range(count)
    ]


def census(counted: list[Head]) -> bytes:
    """A census entry, as far as its tree is concerned, by the format's words."""
    leaves = [
        tree.leaf_hash(canonical.encode({"head": head.hex(), "org": organization, "seq": seq}))
        for organization, seq, head in sorted(counted)
    ]
    details = {"orgs": len(counted), "root": tree.root_of(leaves).hex()}
    return canonical.encode({"details": details})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 100, 257])
def test_every_organization_counted_has_a_proof_that_leads_to_the_root(count: int) -> None:
    counted = heads(count)
    entry = census(counted)
    members = Members(9, entry, reversed(counted))
    root = bytes.fromhex(canonical.parse(entry)["details"]["root"])
    for head in counted:
        found = members.prove(head[0])
        assert found is not None
        assert (found.entry, found.index) == (entry, 9)
        leaf = member_leaf(*head)
        tree.verify_inclusion(leaf, found.member, count, found.proof, root)
    assert members.prove(name("org", "of tomorrow")) is None


def test_heads_that_the_census_did_not_count_prove_nothing() -> None:
    counted = heads(5)
    organization, seq, head = counted[3]
    for wrong in (
        counted[:4],
        heads(6),
        [*counted[:3], (organization, seq + 1, head), counted[4]],
        [*counted[:3], (organization, seq, bytes(32)), counted[4]],
    ):
        with pytest.raises(CensusError, match="another root"):
            Members(9, census(counted), wrong)
