"""The fixtures that other tests stand on give real, separate databases."""

from collections.abc import Callable

import asyncpg


async def test_each_database_is_new_and_empty(postgres_database: Callable[[], str]) -> None:
    first, second = postgres_database(), postgres_database()
    assert first != second
    connection = await asyncpg.connect(first)
    try:
        await connection.execute("CREATE TABLE seen ()")
        assert await connection.fetchval("SHOW server_version_num") >= "180000"
    finally:
        await connection.close()
    connection = await asyncpg.connect(second)
    try:
        assert await connection.fetchval("SELECT to_regclass('seen')") is None
    finally:
        await connection.close()
