"""One platform for all acceptance tests."""

from collections.abc import Iterator

import pytest

from tests.engines import LoopThread
from tests.platform import Running, platform_fixture


@pytest.fixture(scope="package")
def running(engine_loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from platform_fixture(engine_loop, tmp_path_factory.mktemp("acceptance"))
