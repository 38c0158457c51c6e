"""How tests are shared out among the processes of `make test`.

A unit runs in one process, in its order: a file, or all that start whole platforms, of which two
at once would starve one another. The longest units go first, so that no process is left alone with
one at the end.
"""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

#: What starts whole platforms.
PLATFORMS: Final = (
    "tests/chaos/",
    "tests/acceptance/",
    "tests/forgetting/",
    "tests/histories/test_engines.py",
)

#: The longest units, longest first.
LONGEST: Final[tuple[str, ...]] = (
    "platforms",
    "tests/histories/test_histories.py",
    "tests/authorization/test_table.py",
    "tests/histories/test_day.py",
    "tests/edge/test_against_document.py",
    "tests/workers/bookkeeping/test_schedules.py",
)


def unit_of(identifier: str) -> str:
    """The unit of a test, by its identifier for pytest."""
    return "platforms" if identifier.startswith(PLATFORMS) else identifier.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    config.option.loadscopereorder = False  # By number of tests; ours is by time.
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = unit_of
    return scheduler


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long units first, where the tests are shared out; else in the order of the files."""
    if hasattr(config, "workerinput"):
        rank = {unit: place for place, unit in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(unit_of(item.nodeid), len(rank)))
