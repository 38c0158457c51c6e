"""The tiles above level 0 of logs that no test could fill with entries."""

from hashlib import sha256
from typing import Any

import pytest

from amply_verify.errors import RefusedError
from amply_verify.log_files import check_upper_tiles
from amply_verify.note import Checkpoint
from amply_verify.tiles import tiles_of
from amply_verify.tree import fold

SIZE = 200 * 256 * 256 + 77 * 256 + 5


@pytest.fixture(scope="module")
def full() -> list[bytes]:
    """The hashes of the full level 0 tiles."""
    return [sha256(number.to_bytes(4)).digest() for number in range(SIZE // 256)]


@pytest.fixture(scope="module")
def files(full: list[bytes]) -> dict[str, bytes]:
    levels = {1: full}
    levels[2] = [fold(full[i : i + 256]) for i in range(0, len(full) // 256 * 256, 256)]
    return {
        tile.path: b"".join(levels[tile.level][tile.number * 256 :][: tile.width])
        for tile in tiles_of(SIZE)
        if tile.level > 0
    }


def check(files: Any, full: list[bytes], old_size: int) -> None:
    checkpoint = Checkpoint("log", SIZE, bytes(32))
    check_upper_tiles(files.get, checkpoint, old_size, full[old_size // 256 :])


@pytest.mark.parametrize(
    "old_size", [0, 1, 256, 65_535, 65_536, 65_537, 65_536 * 7 + 256 * 3 + 9, SIZE - 300, SIZE - 6]
)
def test_upper_tiles_are_compared_from_any_size_on(
    files: dict[str, bytes], full: list[bytes], old_size: int
) -> None:
    check(files, full, old_size)
    for name in ("tile/1/200.p/77", "tile/2/000.p/200"):
        data = files[name]
        if name.startswith("tile/2") and old_size > 65_536 * 199:
            # Nothing at this level is new.
            continue
        with pytest.raises(RefusedError, match="do not match"):
            check(files | {name: data[:-1] + bytes([data[-1] ^ 1])}, full, old_size)
        with pytest.raises(RefusedError, match="is missing"):
            check({key: files[key] for key in files if key != name}, full, old_size)
