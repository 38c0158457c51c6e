from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization.lab import Lab, lab_of
from tests.engines import LoopThread


@pytest.fixture(scope="session")
def lab(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    made, child = lab_of(engine_loop, tmp_path_factory.mktemp("lab"), engine_cache)
    yield made
    engine_loop.run(child.stop())
