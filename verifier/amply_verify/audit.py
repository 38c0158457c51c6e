"""Audit of a whole log (section 9) out of its static files, one numbered step after the other.

A1 checkpoint; A2 bundles and tiles hash up to its root; A3 every entry alone; A4 every chain; A5
every census; A6 older checkpoints are prefixes; A7 receipts and exports given hold the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from amply_verify.errors import InvalidError, RefusedError, UnreadableError
from amply_verify.log_chains import LogChains
from amply_verify.note import Checkpoint, open_checkpoint
from amply_verify.source import ReadFile
from amply_verify.tiles import TILE_WIDTH, Tile, bundle_path, tile_path, tiles_of, unpack_bundle
from amply_verify.tree import HASH_BYTES, Frontier, fold, leaf_hash
from amply_verify.trust import Signed, Trust, open_trusted


@dataclass(slots=True)
class LogReport:
    """A verified log."""

    signed: Signed
    organizations: int
    censuses: int
    older: int
    """How many older checkpoints were compared."""
    claims: int
    """How many receipts and lines of exports were compared."""


@dataclass(slots=True)
class Kept:
    """What the auditor kept from before.

    `checkpoints` are notes, `leaves` (index, leaf hash, where from) out of receipts and exports.
    """

    checkpoints: Sequence[str] = ()
    leaves: Sequence[tuple[int, bytes, str]] = ()


def audit_log(read: ReadFile, trust: Trust, kept: Kept | None = None) -> LogReport:
    """Audit the log whose files `read` gives; raises RefusedError at the first step that fails."""
    kept = kept or Kept()
    note = read("checkpoint")
    if note is None:
        raise UnreadableError("there is no file `checkpoint`; is this the folder of a log?")
    try:
        signed = open_trusted(note.decode(), trust)
    except UnicodeDecodeError as error:
        raise RefusedError("A1", "the checkpoint is not UTF-8 text") from error
    except InvalidError as error:
        raise RefusedError("A1", str(error)) from error
    checkpoint = signed.checkpoint
    older = _Older(kept.checkpoints, trust)
    claims = _Claims(kept.leaves)
    chains = LogChains(checkpoint.origin)
    files = _Files(read, checkpoint)
    for index, entry, leaf in files.entries():
        older.see(files.frontier)
        claims.see(index, leaf)
        chains.judge(index, entry, leaf)
        files.frontier.append(leaf)
    older.see(files.frontier)
    files.check_upper_tiles()
    if chains.fault is not None:
        raise chains.fault
    older.check(checkpoint)
    claims.check(checkpoint)
    return LogReport(
        signed=signed,
        organizations=len(chains.heads),
        censuses=chains.censuses,
        older=len(kept.checkpoints),
        claims=len(kept.leaves),
    )


@dataclass(slots=True)
class _Files:
    """A2: reads bundles and tiles, each of exactly its width, and compares their hashes."""

    read: ReadFile
    checkpoint: Checkpoint
    frontier: Frontier = field(default_factory=Frontier)
    _full: list[bytes] = field(default_factory=list)
    """The hashes of the full level 0 tiles so far."""

    def entries(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(index, entry, leaf hash) in order, each compared with its hash tile."""
        for tile in tiles_of(self.checkpoint.size):
            if tile.level > 0:
                return
            entries = self._bundle(tile)
            leaves = [leaf_hash(entry) for entry in entries]
            self._compare(tile, leaves)
            if tile.width == TILE_WIDTH:
                self._full.append(fold(leaves))
            first = tile.number * TILE_WIDTH
            yield from zip(range(first, first + tile.width), entries, leaves, strict=True)

    def check_upper_tiles(self) -> None:
        """Compare the tiles above level 0, then the root."""
        hashes, level = self._full, 0
        for tile in tiles_of(self.checkpoint.size):
            if tile.level == 0:
                continue
            if tile.level > level + 1:
                full = len(hashes) // TILE_WIDTH * TILE_WIDTH
                hashes = [fold(hashes[i : i + TILE_WIDTH]) for i in range(0, full, TILE_WIDTH)]
                level = tile.level - 1
            first = tile.number * TILE_WIDTH
            self._compare(tile, hashes[first : first + tile.width])
        if self.frontier.root() != self.checkpoint.root:
            raise RefusedError("A2", "the entries do not hash up to the checkpoint's root")

    def _bundle(self, tile: Tile) -> list[bytes]:
        data, width = self._file("entries", tile)
        name = bundle_path(tile.number, width)
        try:
            entries = unpack_bundle(data)
        except InvalidError as error:
            raise RefusedError("A2", f"{name}: {error}") from error
        if len(entries) != width:
            raise RefusedError("A2", f"{name} holds {len(entries)} entries instead of {width}")
        return entries[: tile.width]

    def _compare(self, tile: Tile, expected: list[bytes]) -> None:
        data, width = self._file(tile.level, tile)
        name = tile_path(tile.level, tile.number, width)
        if len(data) != width * HASH_BYTES:
            raise RefusedError("A2", f"{name} has {len(data)} bytes instead of {width} hashes")
        for offset, item in enumerate(expected):
            if data[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] != item:
                index = (tile.number * TILE_WIDTH + offset) * TILE_WIDTH**tile.level
                raise RefusedError(
                    "A2", f"{name} and the entries from index {index} on do not match", index=index
                )

    def _file(self, level: int | str, tile: Tile) -> tuple[bytes, int]:
        """The bytes of a tile or bundle and its width; a full one stands in for a partial."""
        for width in dict.fromkeys((tile.width, TILE_WIDTH)):
            data = self.read(tile_path(level, tile.number, width))
            if data is not None:
                return data, width
        raise RefusedError("A2", f"{tile_path(level, tile.number, tile.width)} is missing")


class _Older:
    """A6: the roots that this log had at the sizes of older checkpoints."""

    def __init__(self, notes: Iterable[str], trust: Trust) -> None:
        self._fault: str | None = None
        self._checkpoints: list[Checkpoint] = []
        for note in notes:
            try:
                self._checkpoints.append(open_checkpoint(note, trust.key)[0])
            except InvalidError as error:
                self._fault = self._fault or f"an older checkpoint: {error}"
        self._roots = {checkpoint.size: b"" for checkpoint in self._checkpoints}

    def see(self, frontier: Frontier) -> None:
        """Remember the root if an older checkpoint has this size."""
        if frontier.size in self._roots:
            self._roots[frontier.size] = frontier.root()

    def check(self, checkpoint: Checkpoint) -> None:
        """Compare all of them; raises RefusedError."""
        fault = self._fault
        for old in self._checkpoints:
            if old.size > checkpoint.size:
                fault = fault or f"the log once had {old.size} entries, now {checkpoint.size}"
            elif self._roots[old.size] != old.root:
                fault = fault or f"the log's first {old.size} entries are not those of back then"
        if fault is not None:
            raise RefusedError("A6", fault)


class _Claims:
    """A7: what receipts and exports say is at an index."""

    def __init__(self, leaves: Iterable[tuple[int, bytes, str]]) -> None:
        self._wanted: dict[int, list[tuple[bytes, str]]] = {}
        for index, leaf, name in leaves:
            self._wanted.setdefault(index, []).append((leaf, name))
        self._fault: RefusedError | None = None

    def see(self, index: int, leaf: bytes) -> None:
        """Compare what was said of the entry at `index`."""
        for wanted, name in self._wanted.pop(index, ()):
            if wanted != leaf and self._fault is None:
                message = f"{name} holds another entry than the log at index {index}"
                self._fault = RefusedError("A7", message, index=index)

    def check(self, checkpoint: Checkpoint) -> None:
        """Raise RefusedError for the first difference, or for what the log does not reach."""
        if self._fault is not None:
            raise self._fault
        for index, said in self._wanted.items():
            message = f"{said[0][1]} knows index {index}, the log ends at {checkpoint.size}"
            raise RefusedError("A7", message, index=index)
