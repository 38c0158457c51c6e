from hypothesis import settings

from tests.engines import engine_cache, engine_loop, engines, postgres_database
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler

# The same examples on every run and in any order of files, and no limit of time for one: machines
# are shared.
settings.load_profile("ci")

__all__ = [
    "engine_cache",
    "engine_loop",
    "engines",
    "postgres_database",
    "pytest_collection_modifyitems",
    "pytest_xdist_make_scheduler",
]
