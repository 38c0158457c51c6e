"""One platform for all chaos tests; each test leaves it whole."""

from collections.abc import Iterator

import pytest

from tests import checks
from tests.engines import LoopThread
from tests.platform import Running, platform_fixture


@pytest.fixture(scope="package")
def running(engine_loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from platform_fixture(engine_loop, tmp_path_factory.mktemp("chaos"))


@pytest.fixture
async def then(running: Running) -> checks.Before:
    return await checks.before(running)
