"""Audit steps A1 and A2: the checkpoint, and the bundles and tiles that hash up to its root.

Every file has exactly its width; where a partial is gone, the full one stands in for it. A fault is
a RefusedError with the index of the first entry that it concerns.
"""

from collections.abc import Iterator, Sequence

from amply_verify.errors import InvalidError, RefusedError, UnreadableError
from amply_verify.note import Checkpoint
from amply_verify.source import ReadFile, read_ahead
from amply_verify.tiles import (
    TILE_WIDTH,
    Tile,
    TileTree,
    bundle_path,
    tile_path,
    tiles_of,
    unpack_bundle,
)
from amply_verify.tree import HASH_BYTES, Frontier, fold, leaf_hash
from amply_verify.trust import Signed, Trust, open_trusted

STEP = "A2"
TILES_AHEAD = 8


def read_note(read: ReadFile, trust: Trust) -> str:
    """The note of the log's newest checkpoint; RefusedError when it is no text.

    A policy that asks for witnesses is for the newest one that they cosigned.
    """
    data = read("checkpoint.witnessed") if trust.asks_witnesses else None
    data = read("checkpoint") if data is None else data
    if data is None:
        raise UnreadableError("there is no file `checkpoint`; is this the folder of a log?")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RefusedError("A1", "the checkpoint is not UTF-8 text") from error


def check_note(note: str, trust: Trust) -> Signed:
    """A1: the checkpoint of a note that the log signed; raises RefusedError."""
    try:
        return open_trusted(note, trust)
    except InvalidError as error:
        raise RefusedError("A1", str(error)) from error


def read_bundles(
    read: ReadFile, tiles: Sequence[Tile]
) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """The entries and leaf hashes of each level 0 tile, compared with the tile."""
    for start in range(0, len(tiles), TILES_AHEAD):
        group = tiles[start : start + TILES_AHEAD]
        names = [path for tile in group for path in (_bundle_path(tile), tile.path)]
        ahead = read_ahead(read, names)
        for tile in group:
            entries = _bundle(ahead, tile)
            leaves = [leaf_hash(entry) for entry in entries]
            _compare(ahead, tile, 0, leaves)
            yield entries, leaves


def check_upper_tiles(
    read: ReadFile, checkpoint: Checkpoint, old_size: int, hashes: Sequence[bytes]
) -> None:
    """Compare the tiles above level 0 that a log of `old_size` did not have.

    `hashes` are those of the full level 0 tiles from number old_size // 256 on. Where a tile also
    covers entries of before, only the hashes of the new ones are compared.
    """
    first, level = old_size // TILE_WIDTH, 1
    for tile in tiles_of(checkpoint.size, old_size):
        if tile.level == 0:
            continue
        if tile.level > level:
            skipped = -first % TILE_WIDTH
            first, level = (first + skipped) // TILE_WIDTH, tile.level
            whole = range(skipped, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH)
            hashes = [fold(hashes[i : i + TILE_WIDTH]) for i in whole]
        start = max(tile.number * TILE_WIDTH, first)
        end = tile.number * TILE_WIDTH + tile.width
        known = hashes[start - first : max(end - first, 0)]
        _compare(read, tile, start - tile.number * TILE_WIDTH, known)


def check_root(checkpoint: Checkpoint, frontier: Frontier) -> None:
    """The entries lead to the root that was signed."""
    if frontier.root() != checkpoint.root:
        raise RefusedError(STEP, "the entries do not hash up to the checkpoint's root")


def tile_tree(read: ReadFile, size: int) -> TileTree:
    """Proofs out of the log's tiles, which nothing has compared with its entries.

    A tile that is missing raises UnreadableError.
    """

    def read_tile(level: int, number: int, width: int) -> bytes:
        found = _file(read, level, Tile(level, number, width))
        if found is None:
            raise UnreadableError(f"{tile_path(level, number, width)} is missing")
        return found[0]

    return TileTree(size, read_tile)


def _bundle_path(tile: Tile) -> str:
    return bundle_path(tile.number, tile.width)


def _bundle(read: ReadFile, tile: Tile) -> list[bytes]:
    data, width = _needed(read, "entries", tile)
    name = bundle_path(tile.number, width)
    try:
        entries = unpack_bundle(data)
    except InvalidError as error:
        raise RefusedError(STEP, f"{name}: {error}") from error
    if len(entries) != width:
        raise RefusedError(STEP, f"{name} holds {len(entries)} entries instead of {width}")
    return entries[: tile.width]


def _compare(read: ReadFile, tile: Tile, offset: int, expected: Sequence[bytes]) -> None:
    """Compare a tile's hashes from `offset` on with those expected there."""
    data, width = _needed(read, tile.level, tile)
    name = tile_path(tile.level, tile.number, width)
    if len(data) != width * HASH_BYTES:
        raise RefusedError(STEP, f"{name} has {len(data)} bytes instead of {width} hashes")
    start = offset * HASH_BYTES
    if data[start : start + len(expected) * HASH_BYTES] == b"".join(expected):
        return
    for number, item in enumerate(expected, start=offset):
        if data[number * HASH_BYTES : (number + 1) * HASH_BYTES] != item:
            index = (tile.number * TILE_WIDTH + number) * TILE_WIDTH**tile.level
            raise RefusedError(
                STEP, f"{name} and the entries from index {index} on do not match", index=index
            )


def _needed(read: ReadFile, level: int | str, tile: Tile) -> tuple[bytes, int]:
    found = _file(read, level, tile)
    if found is None:
        raise RefusedError(STEP, f"{tile_path(level, tile.number, tile.width)} is missing")
    return found


def _file(read: ReadFile, level: int | str, tile: Tile) -> tuple[bytes, int] | None:
    """The bytes of a tile or bundle and its width; a full one stands in for a partial."""
    for width in dict.fromkeys((tile.width, TILE_WIDTH)):
        data = read(tile_path(level, tile.number, width))
        if data is not None:
            return data, width
    return None
