from tests.engines import engine_cache, engine_loop, engines, postgres_database
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = [
    "engine_cache",
    "engine_loop",
    "engines",
    "postgres_database",
    "pytest_collection_modifyitems",
    "pytest_xdist_make_scheduler",
]
