"""Starts after stops and after crashes of the starter: same addresses, same data, nothing left
over.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import asyncpg

from deploy.embedded import Engines
from deploy.embedded.processes import process_identity, until

STARTER = """
import asyncio, sys
from pathlib import Path
from deploy.embedded import Engines

async def main():
    engines = Engines(Path(sys.argv[1]), cache=Path(sys.argv[2]))
    print((await engines.start()).postgres_dsn, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_yesterdays_data_and_addresses_are_found_again(
    tmp_path: Path, engine_cache: Path
) -> None:
    async with Engines(tmp_path, cache=engine_cache) as first:
        before = first.addresses
        connection = await asyncpg.connect(before.postgres_dsn)
        await connection.execute("CREATE TABLE gifts AS SELECT 4200 AS amount_minor")
        await connection.close()
        processes = {first.pid(name) for name in ("postgres", "kafka", "spicedb")}
    assert not [pid for pid in processes if process_identity(pid)]
    async with Engines(tmp_path, cache=engine_cache) as second:
        assert second.addresses == before
        connection = await asyncpg.connect(before.postgres_dsn)
        assert await connection.fetchval("SELECT amount_minor FROM gifts") == 4200
        await connection.close()


async def test_nothing_outlives_a_killed_starter_and_the_next_start(
    tmp_path: Path, engine_cache: Path
) -> None:
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(tmp_path), str(engine_cache)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert starter.stdout is not None
    dsn = (await starter.stdout.readline()).decode().strip()
    running = json.loads((tmp_path / "engines.json").read_text())["running"]
    assert set(running) == {"postgres", "kafka", "spicedb"}
    starter.kill()
    await starter.wait()

    def survivors() -> list[str]:
        return [
            name
            for name, process in running.items()
            if process_identity(process["pid"]) == process["identity"]
        ]

    if sys.platform == "linux":
        assert await until(lambda: not survivors(), 20), f"still running: {survivors()}"
    async with Engines(tmp_path, cache=engine_cache) as engines:
        assert survivors() == []
        assert engines.addresses.postgres_dsn == dsn
        connection = await asyncpg.connect(dsn)
        await connection.close()
