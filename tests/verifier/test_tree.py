from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amply_verify import tree
from amply_verify.errors import ProofError

SIZES = st.integers(1, 600)


def leaves_of(count: int) -> list[bytes]:
    return [tree.leaf_hash(str(number).encode()) for number in range(count)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return tree.node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


def test_the_vectors_leaf_hashes_and_roots(
    load: Callable[[str], Any], golden: Any, golden_leaves: list[bytes]
) -> None:
    assert [tree.leaf_hash(text.encode()) for text in golden["entries"]] == golden_leaves
    for case in load("checkpoints.json")["checkpoints"]:
        assert tree.root_of(golden_leaves[: case["size"]]).hex() == case["root_hex"]


def test_the_vectors_inclusion_proofs(
    load: Callable[[str], Any], golden_leaves: list[bytes]
) -> None:
    read = tree.node_reader(golden_leaves)
    for case in load("proofs.json")["inclusion"]:
        index, size = case["index"], case["size"]
        proof = [bytes.fromhex(item) for item in case["proof"]]
        assert tree.prove_inclusion(index, size, read) == proof
        root = tree.root_of(golden_leaves[:size])
        tree.verify_inclusion(golden_leaves[index], index, size, proof, root)


def test_the_vectors_consistency_proofs(
    load: Callable[[str], Any], golden_leaves: list[bytes]
) -> None:
    read = tree.node_reader(golden_leaves)
    for case in load("proofs.json")["consistency"]:
        old, new = case["old"], case["new"]
        proof = [bytes.fromhex(item) for item in case["proof"]]
        assert tree.prove_consistency(old, new, read) == proof
        roots = tree.root_of(golden_leaves[:old]), tree.root_of(golden_leaves[:new])
        tree.verify_consistency(old, roots[0], new, roots[1], proof)


@given(SIZES)
def test_the_frontier_agrees_with_the_definition(size: int) -> None:
    assert tree.root_of(leaves_of(size)) == recursive_root(leaves_of(size))


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_goes_on_from_its_hashes(first: int, more: int) -> None:
    leaves = leaves_of(first + more)
    frontier = tree.Frontier()
    frontier.extend(leaves[:first])
    restored = tree.Frontier(frontier.size, frontier.hashes)
    copied = frontier.copy()
    restored.extend(leaves[first:])
    assert restored.root() == recursive_root(leaves)
    assert copied.root() == frontier.root() == recursive_root(leaves[:first])


@pytest.mark.parametrize("size, hashes", [(1, []), (3, [bytes(32)]), (1, [bytes(31)]), (-1, [])])
def test_a_frontier_refuses_another_number_of_hashes(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ProofError):
        tree.Frontier(size, hashes)


@given(SIZES, st.data())
def test_every_inclusion_proof_holds_for_its_leaf_only(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = tree.root_of(leaves)
    proof = tree.prove_inclusion(index, size, tree.node_reader(leaves))
    tree.verify_inclusion(leaves[index], index, size, proof, root)
    other = data.draw(st.integers(0, 2 * size).filter(lambda number: number != index))
    for wrong_leaf, wrong_index, wrong_proof in (
        (tree.leaf_hash(b"other"), index, proof),
        (leaves[index], other, proof),
        (leaves[index], index, [*proof, bytes(32)]),
        (leaves[index], index, proof[1:]),
        (leaves[index], index, proof[:-1]),
    ):
        if (wrong_index, wrong_proof) == (index, proof) and wrong_leaf == leaves[index]:
            continue
        with pytest.raises(ProofError):
            tree.verify_inclusion(wrong_leaf, wrong_index, size, wrong_proof, root)


@given(SIZES, st.data())
def test_every_consistency_proof_holds_for_its_trees_only(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    leaves = leaves_of(size)
    old_root, root = tree.root_of(leaves[:old]), tree.root_of(leaves)
    proof = tree.prove_consistency(old, size, tree.node_reader(leaves))
    tree.verify_consistency(old, old_root, size, root, proof)
    wrongs = [
        (bytes(32), root, proof),
        (old_root, bytes(32), proof),
        (old_root, root, [*proof, bytes(32)]),
    ]
    if proof:
        wrongs += [(old_root, root, proof[1:]), (old_root, root, proof[:-1]), (old_root, root, [])]
    for wrong_old_root, wrong_root, wrong_proof in wrongs:
        with pytest.raises(ProofError):
            tree.verify_consistency(old, wrong_old_root, size, wrong_root, wrong_proof)


def test_from_nothing_every_tree_is_consistent() -> None:
    tree.verify_consistency(0, tree.EMPTY_ROOT, 5, tree.root_of(leaves_of(5)), [])
    tree.verify_consistency(0, tree.EMPTY_ROOT, 0, tree.EMPTY_ROOT, [])
    with pytest.raises(ProofError):
        tree.verify_consistency(0, bytes(32), 5, tree.root_of(leaves_of(5)), [])
    with pytest.raises(ProofError):
        tree.verify_consistency(0, tree.EMPTY_ROOT, 5, bytes(32), [bytes(32)])


@pytest.mark.parametrize("old, size", [(0, 5), (6, 5), (-1, 5)])
def test_no_proof_leads_backwards(old: int, size: int) -> None:
    with pytest.raises(ProofError):
        tree.prove_consistency(old, size, tree.node_reader(leaves_of(5)))
    with pytest.raises(ProofError):
        tree.prove_inclusion(size, size, tree.node_reader(leaves_of(5)))
