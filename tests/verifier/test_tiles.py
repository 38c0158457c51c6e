from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amply_verify import tiles, tree
from amply_verify.errors import InvalidError, ProofError

LEAVES = [tree.leaf_hash(str(number).encode()) for number in range(66_000)]
LEVELS = [LEAVES]
while len(LEVELS[-1]) >= 256:
    LEVELS.append(
        [tree.fold(LEVELS[-1][i : i + 256]) for i in range(0, len(LEVELS[-1]) // 256 * 256, 256)]
    )


def read_tile(level: int, number: int, width: int) -> bytes:
    return b"".join(LEVELS[level][number * 256 : number * 256 + width])


def test_the_vectors_tiles_are_made_to_the_byte(
    load: Callable[[str], Any], golden: Any, made_log: Any
) -> None:
    made_log.entries = [text.encode() for text in golden["entries"]]
    made = made_log.files()
    del made["checkpoint"]
    assert {path: sha256(data).hexdigest() for path, data in made.items()} == load("tiles.json")[
        "tiles"
    ]


@pytest.mark.parametrize(
    "level, number, width, path",
    [
        (0, 0, 256, "tile/0/000"),
        (0, 999, 1, "tile/0/999.p/1"),
        (1, 1000, 256, "tile/1/x001/000"),
        (0, 1234067, 255, "tile/0/x001/x234/067.p/255"),
        ("entries", 273, 112, "tile/entries/273.p/112"),
    ],
)
def test_paths(level: int | str, number: int, width: int, path: str) -> None:
    assert tiles.tile_path(level, number, width) == path


def test_the_tiles_of_known_sizes() -> None:
    paths = [tile.path for tile in tiles.tiles_of(70_000)]
    assert len(paths) == 273 + 1 + 1 + 1 + 1
    assert paths[272:] == [
        "tile/0/272",
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert [tile.path for tile in tiles.tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert list(tiles.tiles_of(0)) == []


@given(st.integers(0, 70_000), st.integers(0, 70_000))
@settings(max_examples=50)
def test_growing_needs_just_the_tiles_that_changed(one: int, other: int) -> None:
    old, new = sorted((one, other))
    grown = set(tiles.tiles_of(new, old))
    assert grown == set(tiles.tiles_of(new)) - set(tiles.tiles_of(old))


@given(st.integers(1, 66_000), st.data())
@settings(max_examples=60, deadline=None)
def test_proofs_out_of_tiles_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    tile_tree = tiles.TileTree(size, read_tile)
    root, old_root = tile_tree.root(), tile_tree.root(old)
    leaf = tile_tree.leaf(index)
    assert leaf == LEAVES[index]
    proof = tile_tree.prove_inclusion(index)
    tree.verify_inclusion(leaf, index, size, proof, root)
    tree.verify_consistency(old, old_root, size, root, tile_tree.prove_consistency(old))
    if index < old:
        tree.verify_inclusion(leaf, index, old, tile_tree.prove_inclusion(index, old), old_root)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537])
def test_roots_out_of_tiles_are_those_of_the_leaves(size: int) -> None:
    assert tiles.TileTree(size, read_tile).root() == tree.root_of(LEAVES[:size])


def test_proofs_read_few_tiles_and_each_once() -> None:
    seen: list[tuple[int, int]] = []

    def counting(level: int, number: int, width: int) -> bytes:
        seen.append((level, number))
        return read_tile(level, number, width)

    tiles.TileTree(66_000, counting).prove_inclusion(12_345)
    assert len(seen) == len(set(seen)) <= 8


def test_a_short_tile_is_refused_and_a_longer_one_serves() -> None:
    with pytest.raises(ProofError):
        tiles.TileTree(300, lambda level, number, width: b"").root()
    whole = tiles.TileTree(300, lambda level, number, width: read_tile(level, number, 256))
    assert whole.root() == tree.root_of(LEAVES[:300])


def test_no_tree_reaches_beyond_its_tiles() -> None:
    tile_tree = tiles.TileTree(10, read_tile)
    for ask in (
        lambda: tile_tree.root(11),
        lambda: tile_tree.leaf(10),
        lambda: tile_tree.prove_inclusion(3, 11),
        lambda: tile_tree.prove_consistency(3, 11),
    ):
        with pytest.raises(ProofError):
            ask()
    assert tiles.TileTree(0, read_tile).root() == tree.EMPTY_ROOT


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_read_back(entries: list[bytes]) -> None:
    assert tiles.unpack_bundle(tiles.pack_bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"\0", b"\0\2a", b"\0\1ab", b"\xff\xff"])
def test_a_cut_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError):
        tiles.unpack_bundle(data)


def test_an_entry_too_long_is_not_packed() -> None:
    assert len(tiles.pack_bundle([bytes(65_535)])) == 65_537
    with pytest.raises(InvalidError):
        tiles.pack_bundle([bytes(65_536)])
    with pytest.raises(InvalidError):
        tiles.split_hashes(bytes(33))
