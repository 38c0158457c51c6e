"""Proofs over HTTP out of the tiles of a log of 10 million entries, from request to answer."""

import random
import time
from pathlib import Path

import asyncpg

from amply_verify.canonical import from_base64
from amply_verify.note import Signer
from amply_verify.tiles import TILE_WIDTH, TileTree, tile_path
from amply_verify.tree import fold, leaf_hash, verify_inclusion
from deploy.embedded import Engines
from deploy.embedded.cache import default_cache
from ledger.checkpoint import sign
from ledger.tiles import TileFolder
from tests.benchmarks.running import elapsed
from tests.edge.stand import ORIGIN, Served, Stand

ENTRIES = 10_000_000
QUESTIONS = 3000


def write_tiles(folder: Path) -> TileTree:
    """A tree whose leaves repeat every 256: as many files as any other, and quickly made."""
    hashes = [leaf_hash(b"%d" % number) for number in range(TILE_WIDTH)]
    level, count = 0, ENTRIES
    while count:
        data = b"".join(hashes)
        for number in range(0, count, TILE_WIDTH):
            width = min(TILE_WIDTH, count - number)
            path = folder / tile_path(level, number // TILE_WIDTH, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data[: 32 * width])
        level, count = level + 1, count // TILE_WIDTH
        hashes = [fold(hashes)] * TILE_WIDTH
    return TileFolder(folder).tree(ENTRIES)


def questions() -> list[str]:
    """Entries and sizes from anywhere in the log, half of them about the newest tree."""
    draw = random.Random(5)
    asked = []
    for number in range(QUESTIONS):
        size = ENTRIES if number % 2 else draw.randrange(1, ENTRIES)
        at = draw.randrange(size)
        asked.append(
            f"inclusion?index={at}&size={size}"
            if number % 3
            else f"consistency?old={at + 1}&new={size}"
        )
    return asked


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    public = folder / "public"
    log = public / "log" / "0"
    tree = write_tiles(log)
    note = sign([Signer(ORIGIN, bytes(32))], ENTRIES, tree.root())
    (log / "checkpoint").write_text(note)
    engines = Engines(folder / "engines", cache=default_cache())
    addresses = await engines.start()
    try:
        connection = await asyncpg.connect(addresses.postgres_dsn)
        await connection.execute("CREATE DATABASE amply")
        await connection.close()
        dsn = addresses.postgres_dsn.rpartition("/")[0] + "/amply"
        stand = Stand(dsn, addresses, public)
        await stand.prepare()
        async with stand.serve() as edge:
            wall, cpu = await ask(edge)
    finally:
        await engines.stop()
    rank = int(QUESTIONS * 0.99)
    wall, cpu = sorted(wall), sorted(cpu)
    return [
        (
            f"proof over HTTP at {ENTRIES // 1_000_000} million entries, p99 of {QUESTIONS}",
            "< 10 ms",
            f"{wall[rank] * 1e3:.1f} ms (median {wall[QUESTIONS // 2] * 1e3:.1f})",
        ),
        (
            "... processor time of edge and client together, p99",
            "",
            f"{cpu[rank] * 1e3:.1f} ms (median {cpu[QUESTIONS // 2] * 1e3:.1f})",
        ),
    ]


async def ask(edge: Served) -> tuple[list[float], list[float]]:
    """Seconds and processor seconds of each question, one after the other."""
    wall: list[float] = []
    cpu: list[float] = []
    for question in questions():
        started, cpu_started = time.perf_counter(), time.process_time()
        answer = await edge.get(f"/v1/public/log/0/proof/{question}")
        wall.append(elapsed(started))
        cpu.append(time.process_time() - cpu_started)
        assert answer.status == 200, answer.body
        if question.startswith("inclusion") and len(wall) % 100 == 0:
            body = answer.json
            proof = [from_base64(one) for one in body["proof"]]
            leaf, root = from_base64(body["leaf_hash"]), from_base64(body["root"])
            verify_inclusion(leaf, body["index"], body["size"], proof, root)
    return wall, cpu
