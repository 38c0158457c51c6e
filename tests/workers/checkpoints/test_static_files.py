"""The static files of a growing log, as a cache sees them that keeps what is called immutable."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from amply_verify.note import open_checkpoint, parse_verifier_key
from amply_verify.tiles import TILE_WIDTH, TileTree, tile_path, tiles_of, unpack_bundle
from amply_verify.tree import HASH_BYTES, Frontier, leaf_hash
from edge import server
from edge.published_log import PublishedLog
from edge.routes.log import LogRoutes
from ledger.tiles import paths_of
from tests.ledger.database import until
from tests.ledger.making import ORIGIN, name
from tests.workers.ledger_stand import Stand

# Round the sizes at which a tile, then a level, is full.
SIZES = (255, 256, 257, 65_535, 65_536)
SIGNED, NEWEST = 65_537, 66_000

PLANT = """
    INSERT INTO ledger.entries
        (log, index, organization, seq, id, kind, bytes, leaf_hash, recorded_at)
    SELECT 0, i, $1, i, 'ent_' || i, CASE i WHEN 0 THEN 'genesis' ELSE 'donation' END,
        convert_to(i::text, 'UTF8'), sha256('\\x00'::bytea || convert_to(i::text, 'UTF8')), now()
    FROM generate_series($2::bigint, $3::bigint - 1) AS i
"""
GROW = """
    UPDATE ledger.writers
    SET size = $1, frontier = $2, last_time = now(), epoch = greatest(epoch, 1)
"""


def data_of(index: int) -> bytes:
    return b"%d" % index


async def plant(stand: Stand, size: int) -> None:
    """Have the log recorded up to a size, by the thousand: a publisher looks at bytes alone."""
    before = await stand.database.value("SELECT size FROM ledger.writers")
    frontier = Frontier()
    frontier.extend(leaf_hash(data_of(index)) for index in range(size))
    async with stand.database.connect() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(PLANT, name("org", "P"), before, size)
        await connection.execute(GROW, size, b"".join(frontier.hashes))
        await connection.execute("NOTIFY ledger_appended")


class Cache:
    """Keeps answers that say `immutable` for ever, as caches do, and nothing else."""

    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self._client = client
        self.kept: dict[str, bytes] = {}

    async def get(self, path: str) -> bytes | None:
        if path in self.kept:
            return self.kept[path]
        async with self._client.get(f"/log/0/{path}") as response:
            caching = response.headers["Cache-Control"]
            if response.status == 404:
                assert caching == "no-store", f"{path} may come"
                return None
            assert response.status == 200
            data = await response.read()
            if "immutable" in caching:
                self.kept[path] = data
            return data


@pytest.fixture
async def client(stand: Stand) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application(middlewares=[server.observing("http://edge.test")])
    log = LogRoutes(PublishedLog(stand.folder.parents[1], ORIGIN))
    app.on_response_prepare.append(server.prepare_headers)
    app.router.add_get("/log/{log}/{path:.*}", log.file)
    async with TestClient(TestServer(app)) as running:
        yield running


def full_paths(size: int) -> set[str]:
    """Every tile and bundle that is full in a tree of this size."""
    full = [tile for tile in tiles_of(size) if tile.width == TILE_WIDTH]
    return {tile.path for tile in full} | {
        tile_path("entries", tile.number) for tile in full if tile.level == 0
    }


def published_full(folder: Path) -> set[str]:
    files = (file.relative_to(folder).as_posix() for file in folder.rglob("tile/**/*"))
    return {path for path in files if ".p" not in path and (folder / path).is_file()}


def right_edge(size: int) -> Iterator[str]:
    """Paths that do not exist yet, or not any more, at this size: full ones of what is partial."""
    for level in (0, 1, 2):
        yield tile_path(level, (size >> 8 * level) // TILE_WIDTH)
        yield tile_path(level, (size >> 8 * level) // TILE_WIDTH + 1)
    yield tile_path("entries", size // TILE_WIDTH)


async def check(stand: Stand, size: int, *caches: Cache) -> None:
    """This size is whole and right, for caches that saw all before or nothing yet."""
    assert published_full(stand.folder) == full_paths(size), "a file is there once it is full"
    note = stand.checkpoint()
    signed, _ = open_checkpoint(
        note, parse_verifier_key((stand.folder / "vkey").read_text().strip())
    )
    assert signed.size == size
    for cache in caches:
        for path in right_edge(size):
            assert await cache.get(path) is None, path
        files: dict[str, bytes] = {}
        for path in paths_of(size):
            data = await cache.get(path)
            assert data is not None, path
            files[path] = data
        check_files(files, size, signed.root)


def check_files(files: dict[str, bytes], size: int, root: bytes) -> None:
    def read(level: int, number: int, width: int) -> bytes:
        data = files[tile_path(level, number, width)]
        assert len(data) == width * HASH_BYTES
        return data

    tree = TileTree(size, read)
    assert tree.root() == root
    number, width = divmod(size - 1, TILE_WIDTH)
    entries = unpack_bundle(files[tile_path("entries", number, width + 1)])
    assert entries == [data_of(index) for index in range(number * TILE_WIDTH, size)]
    assert leaf_hash(entries[-1]) == tree.leaf(size - 1)


async def test_a_full_file_appears_when_it_is_full_and_never_changes(
    stand: Stand, client: TestClient[web.Request, web.Application]
) -> None:
    seen = Cache(client)
    process = await stand.start("checkpoints")
    for size in SIZES:
        await plant(stand, size)
        await stand.published(size)
        await settled(stand, size)
        await check(stand, size, seen, Cache(client))
    await stand.stop(process)
    # A head smaller than the log: signed, its tiles written, and the log far beyond it by then.
    await plant(stand, SIGNED)
    await stand.start_to_die("checkpoints", "checkpoints.tiles_written", 1)
    await plant(stand, NEWEST)
    assert published_full(stand.folder) == full_paths(SIGNED)
    for path in right_edge(SIGNED):
        assert await seen.get(path) is None
    await stand.start("checkpoints")
    await stand.published(NEWEST)
    await settled(stand, NEWEST)
    await check(stand, NEWEST, seen, Cache(client))
    rows = await stand.database.fetch("SELECT size FROM read.checkpoints ORDER BY size")
    assert [row["size"] for row in rows] == [*SIZES, SIGNED, NEWEST]
    for path, data in seen.kept.items():
        now = stand.folder / path
        # What a cache kept is what is there, or went because its full file came.
        assert now.read_bytes() == data if now.exists() else ".p/" in path, path


async def test_a_file_that_goes_while_it_is_asked_for_is_a_404_that_no_cache_keeps(
    stand: Stand,
    client: TestClient[web.Request, web.Application],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PublishedLog, "file", lambda log, path: stand.folder / path)
    assert await Cache(client).get("tile/0/000.p/7") is None


async def settled(stand: Stand, size: int) -> None:
    """Wait until partial files are gone whose full ones came with this size."""

    async def gone() -> bool:
        return not any((stand.folder / f"{path}.p").exists() for path in full_paths(size))

    await until(gone, "superseded files are gone")
