"""Real engines for tests: one set per session, on a temporary data directory and the shared cache.

Fixtures (re-exported by tests/conftest.py, so every test has them):

- `engines` -> Addresses of PostgreSQL (superuser), Kafka and SpiceDB, started once per session.
- `postgres_database` -> a function: each call creates an empty database there and returns its
  superuser DSN. It may be called in plain and in async tests, and from fixtures of any scope.
- `engine_cache` -> the folder that engines are fetched into.

Where a Docker engine answers and AMPLY_TEST_CONTAINERS=1, the engines are containers instead.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from deploy.embedded import Addresses, Engines
from deploy.embedded.cache import default_cache
from deploy.embedded.containers import containers, wanted

T = TypeVar("T")


class LoopThread:
    """An event loop that runs for the whole session beside the loops of single tests.

    The engines are children of its thread, and the kernel ends them with it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engines", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end on that loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def engine_loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def engine_cache() -> Path:
    return default_cache()


@pytest.fixture(scope="session")
def engines(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Addresses]:
    if wanted():
        with containers() as addresses:
            yield addresses
        return
    running = Engines(tmp_path_factory.mktemp("engines"), cache=engine_cache)
    addresses = engine_loop.run(running.start())
    engine_loop.run(_make_cheap(addresses.postgres_dsn))
    yield addresses
    engine_loop.run(running.stop())


async def _make_cheap(dsn: str) -> None:
    """Spare what no test is about: commits that survive the machine, passwords hard to guess.

    Commits reach the operating system, and a killed server loses none.
    """
    connection = await asyncpg.connect(dsn)
    try:
        for setting in ("fsync = off", "full_page_writes = off", "scram_iterations = 1"):
            await connection.execute(f"ALTER SYSTEM SET {setting}")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres_database(engines: Addresses, engine_loop: LoopThread) -> Callable[[], str]:
    numbers = count(1)

    async def create(name: str) -> None:
        connection = await asyncpg.connect(engines.postgres_dsn)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    def fresh() -> str:
        name = f"test_{os.getpid()}_{next(numbers)}"
        engine_loop.run(create(name))
        return f"{engines.postgres_dsn.rpartition('/')[0]}/{name}"

    return fresh
