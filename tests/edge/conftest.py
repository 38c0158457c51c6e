from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from tests.edge.deposits import Deposits, one_deposit
from tests.edge.scribe import Scribe
from tests.edge.society import Society
from tests.edge.stand import Served, Stand
from tests.engines import LoopThread


@pytest.fixture(scope="module")
def stand(
    postgres_database: Callable[[], str],
    engines: Addresses,
    engine_loop: LoopThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stand:
    public: Path = tmp_path_factory.mktemp("public")
    made = Stand(postgres_database(), engines, public)
    engine_loop.run(made.prepare())
    return made


@pytest.fixture
async def edge(stand: Stand) -> AsyncIterator[Served]:
    async with stand.serve() as served:
        yield served


@pytest.fixture
async def society(stand: Stand) -> AsyncIterator[Society]:
    registered = await stand.register(currencies=("EUR", "USD"))
    await Scribe(stand).record(registered.id)
    [row] = await stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", registered.id)
    yield Society(stand, registered.id, str(row["slug"]), registered.funds)


@pytest.fixture
async def deposits(society: Society) -> Deposits:
    return await one_deposit(society)
