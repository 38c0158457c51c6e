from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from deploy.embedded.cache import Cache
from deploy.login.installation import ensure_provider
from edge.metrics import AUDIT_LATE
from tests.edge.browser import Browser
from tests.edge.crowd import Crowd, gathered
from tests.edge.deposits import Deposits, one_deposit
from tests.edge.login import EDGE, Login, provider
from tests.edge.office import Office
from tests.edge.scribe import Scribe
from tests.edge.society import Society
from tests.edge.stand import Served, Stand
from tests.engines import LoopThread


def _late() -> dict[str, float]:
    return {
        sample.labels["operation"]: sample.value
        for sample in next(iter(AUDIT_LATE.collect())).samples
        if sample.name.endswith("_total")
    }


@pytest.fixture(autouse=True)
def every_write_is_audited_in_its_transaction() -> Iterator[None]:
    """Whatever a test writes through the API leaves its audit row with what it wrote."""
    before = _late()
    yield
    late = {name for name, count in _late().items() if count > before.get(name, 0)}
    assert not late, f"these leave no audit row in their transaction (edge/audit): {late}"


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
async def crowd(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    async with gathered(stand, monkeypatch) as made:
        yield made


@pytest.fixture
async def society(stand: Stand) -> AsyncIterator[Society]:
    registered = await stand.register(currencies=("EUR", "USD"))
    await Scribe(stand).record(registered.id)
    [row] = await stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", registered.id)
    yield Society(stand, registered.id, str(row["slug"]), registered.funds)


@pytest.fixture
async def deposits(society: Society) -> Deposits:
    return await one_deposit(society)


@pytest.fixture(scope="session")
def login(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Login]:
    """A real oidc-provider; where it cannot be had, tests fail."""
    installation = engine_loop.run(ensure_provider(Cache(engine_cache, print)))
    with provider(installation, tmp_path_factory.mktemp("login")) as running:
        yield running


@pytest.fixture
async def open_edge(stand: Stand, login: Login) -> AsyncIterator[Served]:
    """An edge at which people sign in."""
    async with stand.serve(url=EDGE, provider=login.settings) as served:
        yield served


@pytest.fixture
async def browser(open_edge: Served) -> AsyncIterator[Browser]:
    async with Browser({EDGE: open_edge.url}) as one:
        yield one


@pytest.fixture
async def office(society: Society, edge: Served) -> Office:
    return await Office(society, edge).open()
