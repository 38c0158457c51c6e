"""One migrated database, a row in every table, and a connection of each role that logs in."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from deploy.postgres import migrate
from tests.databases import SECRET, prepare
from tests.engines import LoopThread
from tests.isolation.relations import Relation, relations
from tests.isolation.seeds import seed
from tests.isolation.trying import PREPARE, Logins


@pytest.fixture(scope="session")
def logins(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Logins:
    dsn = postgres_database()

    async def fill() -> None:
        await prepare(dsn)
        superuser = await asyncpg.connect(dsn)
        try:
            await seed(superuser, await relations(superuser))
            await superuser.execute(PREPARE)
        finally:
            await superuser.close()

    engine_loop.run(fill())
    return Logins(dsn, {role: migrate.role_password(SECRET, role) for role in migrate.ROLES})


@pytest.fixture
async def superuser(logins: Logins) -> AsyncIterator[asyncpg.Connection]:
    """In a transaction that is undone."""
    connection = await asyncpg.connect(logins.superuser_dsn)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def known(superuser: asyncpg.Connection) -> list[Relation]:
    return await relations(superuser)
