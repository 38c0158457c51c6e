"""A ledger in a database and in public files, for the checks of everything."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from amply_verify.note import Signer
from amply_verify.source import open_log
from ledger.checkpoint import sign, verifier_key_file
from ledger.projection import Reader
from ledger.store import checking, checkpoints, pen, projections
from ledger.store.checking import Report
from ledger.tiles import Growth
from tests.engines import LoopThread
from tests.ledger.database import Database, append
from tests.ledger.making import NOON, ORIGIN, donation, genesis, name, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
SIGNER = Signer(ORIGIN, bytes(32))
PUBLISHED = 290


async def fill(database: Database, folder: Path) -> None:
    """300 entries over some weeks in all visibilities, summed up to 280, published to 290."""
    kinds = ("public_full", "public_aggregated", "internal_only")
    gifts = [
        donation(A if number % 3 else B, number, visibility=kinds[number % 4 % 3])
        for number in range(296)
    ]
    requests = [genesis(PLATFORM), genesis(A), genesis(B), *gifts, refund(A, "r", name("ent", 1))]
    async with database.connect("bookkeeping") as connection:
        for start in range(0, 300, 30):
            held = await pen.take(connection, 0, ORIGIN, "test")
            moment = NOON + start * timedelta(hours=3)
            await append(connection, held, requests[start : start + 30], moment)
    async with database.connect("books") as connection:
        assert await projections.advance(connection, 0, 0, 280, Reader()) == 280
    await publish(database, folder)


async def publish(database: Database, folder: Path) -> None:
    signer = Signer(ORIGIN, bytes(32))
    rows = await database.fetch("SELECT bytes FROM ledger.entries ORDER BY index")
    growth = Growth()
    async with database.connect("checkpoints") as connection:
        for size in (100, PUBLISHED):
            files = growth.extend([row["bytes"] for row in rows[growth.size : size]])
            for file in files:
                path = folder / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.data)
            note = sign([signer], size, growth.root())
            head = checkpoints.Head(1, size, growth.root())
            await checkpoints.insert(connection, 0, head, note)
            await checkpoints.mark_published(connection, 0, size)
    (folder / "checkpoint").write_text(note)
    (folder / "vkey").write_bytes(verifier_key_file(str(signer.key)))


Kept = tuple[Database, Path]


@pytest.fixture(scope="module")
def kept(
    postgres_database: Callable[[], str],
    engine_loop: LoopThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Kept:
    """A ledger that no test of this module leaves changed."""
    database, folder = Database(postgres_database()), tmp_path_factory.mktemp("log")
    engine_loop.run(database.prepare())
    engine_loop.run(fill(database, folder))
    return database, folder


async def report_of(kept: Kept, *statements: str) -> Report:
    """The report on the database with these statements applied, which are then undone."""
    database, folder = kept
    async with database.connect() as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            for statement in statements:
                await connection.execute(statement)
            return await checking.check(connection, 0, ORIGIN, open_log(str(folder)))
        finally:
            await transaction.rollback()
