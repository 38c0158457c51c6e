from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from deploy.embedded.cache import Cache
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.thirdparty import tools as build
from tests.thirdparty.published import Published, publish
from tests.thirdparty.tools import Tools
from tests.workers.ledger_stand import Stand, topics_exist

__all__ = ["topics_exist"]


@pytest.fixture(scope="session")
def tools(engine_loop: LoopThread, engine_cache: Path) -> Tools:
    return engine_loop.run(build.build(Cache(engine_cache, print)))


@pytest.fixture(scope="session")
def published(
    engines: Addresses,
    topics_exist: None,
    postgres_database: Callable[[], str],
    engine_loop: LoopThread,
    tools: Tools,
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """Made once; whoever damages it takes a copy."""
    database = Database(postgres_database())
    scratch, root = tmp_path_factory.mktemp("stand"), tmp_path_factory.mktemp("published")

    async def make() -> Published:
        await database.prepare()
        stand = Stand(database, engines.kafka_bootstrap, scratch)
        try:
            await stand.begin_at_the_end()
            return await publish(stand, tools, root)
        finally:
            await stand.clean_up()

    return engine_loop.run(make())
