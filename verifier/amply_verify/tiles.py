"""The static files of a log (C2SP tlog-tiles): paths, bundles, and proofs read out of tiles.

A tile at level L holds up to 256 hashes, each over 256^L leaves; a bundle holds up to 256 entries,
each behind its length in two bytes, big-endian. A width below 256 makes a partial of its own path.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from amply_verify import tree
from amply_verify.errors import InvalidError, ProofError

TILE_WIDTH = 256
TILE_HEIGHT = 8
ENTRY_BYTES_MAX = 65_535

ReadTile = Callable[[int, int, int], bytes]
"""(level, number, width) -> the bytes of that tile; a wider tile of the same number serves too."""


class Tile(NamedTuple):
    """One hash tile: level 0 to 7, number, and width 1 to 256."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """The tile's path under the log's prefix."""
        return tile_path(self.level, self.number, self.width)


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """`tile/<level>/<number>[.p/<width>]`; level "entries" names a bundle."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def bundle_path(number: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle."""
    return tile_path("entries", number, width)


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """The tiles that a tree of `size` needs and one of `old_size` did not have, level by level.

    The bundles are those of level 0: same numbers, same widths.
    """
    for level in range(64 // TILE_HEIGHT):
        count = size >> (level * TILE_HEIGHT)
        old_count = old_size >> (level * TILE_HEIGHT)
        if count == 0:
            return
        for start in range(old_count - old_count % TILE_WIDTH, count, TILE_WIDTH):
            width = min(TILE_WIDTH, count - start)
            if start + width > old_count:
                yield Tile(level, start // TILE_WIDTH, width)


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle of 1 to 256 entries of at most 65 535 bytes each."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise InvalidError(f"an entry has at most {ENTRY_BYTES_MAX} bytes")
        parts += (len(entry).to_bytes(2), entry)
    return b"".join(parts)


def unpack_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; raises InvalidError when the last one is cut off."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 2
        position = start + int.from_bytes(data[position:start])
        if start > len(data) or position > len(data):
            raise InvalidError("the bundle ends inside an entry")
        entries.append(data[start:position])
    return entries


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile's bytes."""
    if len(data) % tree.HASH_BYTES:
        raise InvalidError("the tile does not hold whole hashes")
    return [data[i : i + tree.HASH_BYTES] for i in range(0, len(data), tree.HASH_BYTES)]


class TileTree:
    """Roots and proofs of a published tree, read out of its tiles and nothing else.

    One instance serves one tree size and keeps the tiles it read; make a new one for each request.
    Raises ProofError when a tile is shorter than the tree needs.
    """

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, size: int | None = None) -> bytes:
        """The root of the tree, or of its prefix of `size` leaves."""
        end = self.size if size is None else size
        if not 0 <= end <= self.size:
            raise ProofError(f"these tiles hold {self.size} leaves, not {end}")
        return tree.range_hash(0, end, self.read_node) if end else tree.EMPTY_ROOT

    def leaf(self, index: int) -> bytes:
        """The leaf hash at `index`."""
        if not 0 <= index < self.size:
            raise ProofError(f"index {index} is not in a tree of {self.size}")
        return self.read_node(0, index)

    def prove_inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The inclusion proof of `index` in the tree of `size` (default: the whole tree)."""
        return tree.prove_inclusion(index, self._bounded(size), self.read_node)

    def prove_consistency(self, old_size: int, size: int | None = None) -> list[bytes]:
        """The consistency proof from `old_size` > 0 to `size` (default: the whole tree)."""
        return tree.prove_consistency(old_size, self._bounded(size), self.read_node)

    def read_node(self, height: int, position: int) -> bytes:
        """The hash of the complete subtree of 2^height leaves number `position`."""
        level, height_in_tile = divmod(height, TILE_HEIGHT)
        first = position << height_in_tile
        number, offset = divmod(first, TILE_WIDTH)
        data = self._tile(level, number)
        start = offset * tree.HASH_BYTES
        end = start + (tree.HASH_BYTES << height_in_tile)
        if end > len(data):
            raise ProofError(f"{tile_path(level, number)} holds too few hashes")
        return tree.fold(split_hashes(data[start:end]))

    def _bounded(self, size: int | None) -> int:
        if size is None:
            return self.size
        if size > self.size:
            raise ProofError(f"these tiles hold {self.size} leaves, not {size}")
        return size

    def _tile(self, level: int, number: int) -> bytes:
        data = self._tiles.get((level, number))
        if data is None:
            count = (self.size >> (level * TILE_HEIGHT)) - number * TILE_WIDTH
            data = self._read_tile(level, number, min(TILE_WIDTH, count))
            self._tiles[level, number] = data
        return data
