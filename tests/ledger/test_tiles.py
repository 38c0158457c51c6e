import hashlib
from pathlib import Path

import pytest

from amply_verify import tiles as format_of
from amply_verify import tree
from amply_verify.errors import ProofError
from ledger.publication import Directory, PublicationError
from ledger.tiles import Growth, TileFolder, paths_of

SIZES = [1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000]


def entries(start: int, end: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % number).digest()[:8] for number in range(start, end)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log" / "0"


def test_every_published_size_has_its_files_and_full_ones_never_change(folder: Path) -> None:
    growth, files, leaves = Growth(), dict[str, bytes](), list[bytes]()
    for size in SIZES:
        added = entries(growth.size, size)
        leaves += map(tree.leaf_hash, added)
        for file in growth.extend(added):
            assert files.setdefault(file.path, file.data) == file.data
        assert set(paths_of(size)) <= files.keys()
        assert growth.root() == tree.root_of(leaves)
        resumed = Growth.resume(size, files.get)
        assert resumed is not None
        assert resumed.root() == growth.root()
        more = entries(size, size + 300)
        assert resumed.extend(more) == growth.copy().extend(more)
        proofs = format_of.TileTree(size, lambda *tile: files[format_of.tile_path(*tile)])
        proof = proofs.prove_inclusion(size - 1)
        tree.verify_inclusion(leaves[-1], size - 1, size, proof, growth.root())


@pytest.mark.parametrize("path", ["tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/002.p/188"])
def test_an_edge_is_not_resumed_from_missing_or_short_files(path: str) -> None:
    files = {file.path: file.data for file in Growth().extend(entries(0, 700))}
    assert Growth.resume(700, files.get) is not None
    whole = files.pop(path)
    assert Growth.resume(700, files.get) is None
    files[path] = whole[: len(whole) // 2]
    if "entries" not in path:
        assert Growth.resume(700, files.get) is None


def test_partial_tiles_go_when_their_full_tile_is_there(folder: Path) -> None:
    directory, growth = Directory(folder), Growth()
    for size in (200, 256):
        files = growth.extend(entries(growth.size, size))
        directory.write_all((file.path, file.data) for file in files)
    directory.remove_partials(file.path for file in files if file.is_full)
    assert directory.missing(paths_of(256)) == []
    assert directory.read("tile/0/000.p/200") is None
    old = TileFolder(folder).tree(200)
    assert old.root() == tree.root_of(map(tree.leaf_hash, entries(0, 200)))
    assert files[0].is_superseded(256) is False
    directory.close()


def test_a_proof_out_of_a_folder_without_the_tile_says_so(folder: Path) -> None:
    with pytest.raises(ProofError, match="not published"):
        TileFolder(folder).tree(10).prove_inclusion(3)


def test_a_full_tile_is_read_once_and_a_partial_one_each_time(folder: Path) -> None:
    directory, growth = Directory(folder), Growth()
    directory.write_all((file.path, file.data) for file in growth.extend(entries(0, 300)))
    directory.close()
    tiles = TileFolder(folder)
    kept = tiles.read(0, 0, 256)
    for path in ("tile/0/000", "tile/0/001.p/44"):
        (folder / path).write_bytes(bytes(44 * 32))
    assert tiles.read(0, 0, 256) == kept
    assert tiles.read(0, 1, 44) == bytes(44 * 32)
    tiles.forget()
    assert tiles.read(0, 0, 256) == bytes(44 * 32)


def test_a_tile_that_was_missing_is_found_as_soon_as_it_is_there(folder: Path) -> None:
    tiles, directory = TileFolder(folder), Directory(folder)
    with pytest.raises(ProofError, match="tile/0/000 is not published"):
        tiles.read(0, 0, 256)
    directory.write_all((file.path, file.data) for file in Growth().extend(entries(0, 256)))
    directory.close()
    assert len(tiles.read(0, 0, 256)) == 256 * 32


def test_a_file_is_written_whole_and_read_back(folder: Path) -> None:
    directory = Directory(folder)
    directory.write("checkpoint", b"one")
    directory.write("checkpoint", b"two")
    assert directory.read("checkpoint") == b"two"
    assert directory.read("vkey") is None
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"checkpoint", ".lock"}
    directory.close()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a//b", "", "a/../b", "tile/0/.lock", "A"])
def test_nothing_is_written_outside_the_folder(folder: Path, path: str) -> None:
    directory = Directory(folder)
    with pytest.raises(PublicationError):
        directory.write(path, b"")
    directory.close()


def test_one_publisher_has_the_folder_at_a_time(folder: Path) -> None:
    first = Directory(folder)
    with pytest.raises(PublicationError, match="another process"):
        Directory(folder)
    first.close()
    Directory(folder).close()
