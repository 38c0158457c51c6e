from collections.abc import Callable

import pytest

from tests.engines import LoopThread
from tests.ledger.database import Database


@pytest.fixture
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made
