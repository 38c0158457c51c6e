from collections.abc import Callable

import pytest

from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.store.checked import kept

__all__ = ["database", "kept"]


@pytest.fixture
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made
