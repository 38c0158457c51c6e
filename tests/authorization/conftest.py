from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from tests.authorization.cast import Cast, gather
from tests.authorization.lab import Lab, lab_of
from tests.authorization.walking import served
from tests.edge.stand import Stand
from tests.engines import LoopThread


@pytest.fixture(scope="session")
def lab(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    made, child = lab_of(engine_loop, tmp_path_factory.mktemp("lab"), engine_cache)
    yield made
    engine_loop.run(child.stop())


@pytest.fixture(scope="session")
def stand(
    postgres_database: Callable[[], str],
    engines: Addresses,
    engine_loop: LoopThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stand:
    made = Stand(postgres_database(), engines, tmp_path_factory.mktemp("public"))
    engine_loop.run(made.prepare())
    return made


@pytest.fixture(scope="session")
def cast(stand: Stand, engine_loop: LoopThread) -> Cast:
    async def make() -> Cast:
        async with served(stand) as running:
            return await gather(stand, running)

    return engine_loop.run(make())
