"""Rows as plain dictionaries, which is all that whoever spells resources needs to know."""

from typing import Any

from topics.outbox import AnyConnection

Row = dict[str, Any]


async def one(connection: AnyConnection, query: str, *values: object) -> Row | None:
    """The first row of a query, if there is one."""
    row = await connection.fetchrow(query, *values)
    return dict(row) if row is not None else None


async def many(connection: AnyConnection, query: str, *values: object) -> list[Row]:
    """All rows of a query."""
    return [dict(row) for row in await connection.fetch(query, *values)]
