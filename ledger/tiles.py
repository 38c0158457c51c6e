"""A log's static files (C2SP tlog-tiles): what to write when it grows, and proofs read out of them.

Rules: a full tile is written when its 256 hashes exist and never changes; the width of a published
size's last tiles is part of their path; tiles come before the checkpoint that needs them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from amply_verify import tiles as format_of
from amply_verify import tree
from amply_verify.errors import ProofError
from amply_verify.tiles import TILE_WIDTH, ReadTile, TileTree

LEVELS: Final = 8
NODES_MAX: Final = 100_000

ReadFile = Callable[[str], bytes | None]
"""A path under the log's prefix -> its bytes, or None when there is no such file."""


class File(NamedTuple):
    """A tile or (with the level "entries") a bundle to publish."""

    level: int | str
    number: int
    width: int
    data: bytes

    @property
    def path(self) -> str:
        """Its path under the log's prefix."""
        return format_of.tile_path(self.level, self.number, self.width)

    @property
    def is_full(self) -> bool:
        """Whether it never changes any more."""
        return self.width == TILE_WIDTH

    def is_superseded(self, size: int) -> bool:
        """Whether its full tile is there in a tree of `size`, so that a partial one may go."""
        height = 0 if isinstance(self.level, str) else self.level * format_of.TILE_HEIGHT
        return not self.is_full and (self.number + 1) * TILE_WIDTH << height <= size


class Growth:
    """The right edge of a growing log: of each level, the hashes of its last, incomplete tile.

    Starts empty, or from a published size with `resume`.
    """

    def __init__(self) -> None:
        self.size = 0
        self._edges: list[list[bytes]] = [[] for _ in range(LEVELS)]
        self._bundle: list[bytes] = []

    @classmethod
    def resume(cls, size: int, read_file: ReadFile) -> "Growth | None":
        """The edge of a published size, out of its partial tiles; None when one is not there."""
        growth = cls()
        growth.size = size
        for level in range(LEVELS):
            number, width = divmod(size >> (level * format_of.TILE_HEIGHT), TILE_WIDTH)
            if width:
                data = read_file(format_of.tile_path(level, number, width))
                if data is None or len(data) != width * tree.HASH_BYTES:
                    return None
                growth._edges[level] = format_of.split_hashes(data)
        number, width = divmod(size, TILE_WIDTH)
        bundle = read_file(format_of.bundle_path(number, width)) if width else b""
        growth._bundle = [] if bundle is None else format_of.unpack_bundle(bundle)
        return growth if len(growth._bundle) == width else None

    def copy(self) -> "Growth":
        """An edge that grows on its own."""
        twin = Growth()
        twin.size = self.size
        twin._edges = [list(edge) for edge in self._edges]
        twin._bundle = list(self._bundle)
        return twin

    def root(self) -> bytes:
        """The root of everything appended so far."""
        below: list[bytes] = []
        for edge in self._edges:
            hashes = edge + below
            below = [tree.root_of(hashes)] if hashes else []
        return below[0] if below else tree.EMPTY_ROOT

    def extend(self, entries: Sequence[bytes]) -> list[File]:
        """Append entries; returns the files that the new size needs beside the old one's."""
        files = self._extend_bundles(entries)
        added = [tree.leaf_hash(entry) for entry in entries]
        for level, edge in enumerate(self._edges):
            if not added:
                break
            number = (self.size >> (level * format_of.TILE_HEIGHT)) // TILE_WIDTH
            edge += added
            added = []
            while len(edge) >= TILE_WIDTH:
                full, edge[:] = edge[:TILE_WIDTH], edge[TILE_WIDTH:]
                files.append(File(level, number, TILE_WIDTH, b"".join(full)))
                added.append(tree.fold(full))
                number += 1
            if edge:
                files.append(File(level, number, len(edge), b"".join(edge)))
        self.size += len(entries)
        return files

    def _extend_bundles(self, entries: Sequence[bytes]) -> list[File]:
        files: list[File] = []
        number = self.size // TILE_WIDTH
        pending = self._bundle + list(entries)
        for start in range(0, len(pending), TILE_WIDTH):
            part = pending[start : start + TILE_WIDTH]
            if entries:
                files.append(File("entries", number, len(part), format_of.pack_bundle(part)))
            number += 1
        self._bundle = pending[len(pending) - len(pending) % TILE_WIDTH :]
        return files


def paths_of(size: int) -> Iterator[str]:
    """Every tile and bundle that a tree of `size` consists of."""
    for tile in format_of.tiles_of(size):
        yield tile.path
        if tile.level == 0:
            yield format_of.bundle_path(tile.number, tile.width)


class TileFolder:
    """Reads the tiles in a published log's folder, and keeps what never changes.

    That is full tiles, at most `kept_max` of 8 KiB each, and the hashes of complete subtrees, some
    15 MB: a proof then costs the hashes of the tiles that nobody asked for lately. Safe to use in
    several threads.
    """

    def __init__(self, folder: Path, kept_max: int = 1024) -> None:
        self._folder = folder
        self._full = lru_cache(kept_max)(self._read_full)
        self._nodes: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, number: int, width: int) -> bytes:
        """The bytes of a tile; ProofError when it is not there.

        When a partial tile went because its full one exists, the full one serves.
        """
        if width < TILE_WIDTH:
            try:
                return (self._folder / format_of.tile_path(level, number, width)).read_bytes()
            except FileNotFoundError:
                pass
        try:
            return self._full(level, number)
        except FileNotFoundError:
            path = format_of.tile_path(level, number, width)
            raise ProofError(f"{path} is not published") from None

    def tree(self, size: int) -> TileTree:
        """Proofs in the published tree of `size` and in every smaller one."""
        if len(self._nodes) > NODES_MAX:
            self._nodes = {}
        return _KeepingTree(size, self.read, self._nodes)

    def forget(self) -> None:
        """Read every tile anew from now on."""
        self._full.cache_clear()
        self._nodes = {}

    def _read_full(self, level: int, number: int) -> bytes:
        return (self._folder / format_of.tile_path(level, number)).read_bytes()


class _KeepingTree(TileTree):
    """Complete subtrees have the same hash in every tree of the log, so trees share them."""

    def __init__(self, size: int, read_tile: ReadTile, nodes: dict[tuple[int, int], bytes]) -> None:
        super().__init__(size, read_tile)
        self._nodes = nodes

    def read_node(self, height: int, position: int) -> bytes:
        """The hash of the complete subtree of 2^height leaves number `position`."""
        node = self._nodes.get((height, position))
        if node is None:
            node = self._nodes[height, position] = super().read_node(height, position)
        return node
