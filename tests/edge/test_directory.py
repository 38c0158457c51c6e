"""The directory's cache: one query between two changes, and never an answer from before one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.directory.directory import Directory

ROW = {
    "id": "fund_1",
    "organization": "org_1",
    "currency": "EUR",
    "visibility": None,
    "is_active": True,
}


class Rows:
    """Stands for the database: counts queries, and lets a change happen while one is under way."""

    def __init__(self) -> None:
        self.row: dict[str, Any] | None = dict(ROW)
        self.queries = 0
        self.during: Any = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Rows"]:
        yield self

    async def fetchrow(self, *_: object) -> dict[str, Any] | None:
        self.queries += 1
        row = self.row
        if self.during is not None:
            self.during()
        return row


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def directory(rows: Rows) -> Directory:
    made = Directory(rows)  # type: ignore[arg-type]  # it asks for connections only
    made.is_caching = True
    return made


async def test_a_record_and_an_absence_are_looked_up_once(rows: Rows, directory: Directory) -> None:
    for _ in range(3):
        assert await directory.fund("org_1", "fund_1") is not None
    assert rows.queries == 1
    rows.row = None
    for _ in range(3):
        assert await directory.fund("org_1", "fund_2") is None
    assert rows.queries == 2


async def test_a_change_drops_everything(rows: Rows, directory: Directory) -> None:
    assert await directory.fund("org_1", "fund_1") is not None
    rows.row = None
    directory.forget()
    assert await directory.fund("org_1", "fund_1") is None


async def test_what_was_read_before_a_change_was_heard_is_not_kept(
    rows: Rows, directory: Directory
) -> None:
    rows.during = directory.forget
    assert await directory.fund("org_1", "fund_1") is not None
    rows.row, rows.during = None, None
    assert await directory.fund("org_1", "fund_1") is None


async def test_nothing_is_kept_while_nobody_listens(rows: Rows, directory: Directory) -> None:
    directory.is_caching = False
    assert await directory.fund("org_1", "fund_1") is not None
    rows.row = None
    assert await directory.fund("org_1", "fund_1") is None


async def test_one_organizations_fund_is_not_anothers(rows: Rows, directory: Directory) -> None:
    assert await directory.fund("org_1", "fund_1") is not None
    rows.row = None
    assert await directory.fund("org_2", "fund_1") is None
