"""The process that chains: two at once make one chain, and who dies in the middle loses nothing."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.store import audit
from tests.engines import LoopThread
from tests.ledger.database import Database, until
from tests.ledger.making import name
from tests.ledger.store.test_audit import check, write
from tests.ledger.test_audit import deed
from workers.audit import chainer as module
from workers.audit.chainer import Chainer
from workers.runtime.health import Health

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def is_chained(database: Database, organization: str) -> bool:
    sql = "SELECT NOT EXISTS (SELECT FROM audit.pending WHERE organization = $1)"
    return bool(await database.value(sql, organization))


async def test_of_two_one_chains_and_the_other_takes_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    monkeypatch.setattr(module, "ROWS_MAX", 7)
    organization = name("org", "two-chainers")
    stops = [asyncio.Event(), asyncio.Event()]
    tasks = [
        asyncio.create_task(Chainer(database.role_dsn("audit")).run(stop, Health()))
        for stop in stops
    ]
    for number, stop in enumerate(stops, 1):
        deeds = [deed(one, organization=organization) for one in range(40)]
        await write(database, *deeds)
        await until(lambda: is_chained(database, organization), "all are chained")
        assert (await check(database, organization)).records == 40 * number
        stop.set()
    await asyncio.gather(*tasks)


#: Ends the process once the waiting rows are deleted, before their records are there.
DIES = """
import asyncio, os, sys
import asyncpg
from ledger.store import audit

async def main():
    connection = await asyncpg.connect(sys.argv[1])
    epoch = await audit.take(connection)
    audit.chain = lambda *given: os._exit(7)
    await audit.advance(connection, epoch, 1000)

asyncio.run(main())
"""


async def test_who_dies_before_the_commit_leaves_everything_to_the_next(
    database: Database, tmp_path: Path
) -> None:
    organization = name("org", "dying-chainer")
    await write(database, *(deed(number, organization=organization) for number in range(20)))
    script = tmp_path / "dies.py"
    script.write_text(DIES)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), database.role_dsn("audit")),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert await process.wait() == 7
    assert not await is_chained(database, organization)
    async with database.connect("audit") as connection:
        assert await audit.advance(connection, await audit.take(connection), 1000) == 20
    assert (await check(database, organization)).records == 20
