"""A platform of its own: these tests stop it and restore its database from a backup."""

from collections.abc import Iterator

import pytest

from tests.engines import LoopThread
from tests.platform import Running, platform_fixture


@pytest.fixture
def running(engine_loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from platform_fixture(engine_loop, tmp_path_factory.mktemp("forgetting"))
