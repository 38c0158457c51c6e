"""Migrated databases for tests: copies of one that is migrated once per server.

A copy takes a fifth of the time of the migrations, and hundreds are made.
"""

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from deploy.postgres import migrate

#: Roles belong to the cluster, which many tests share: their passwords are the same for all.
SECRET: Final = b"tests"

_LOCK: Final = 0x7465737473  # "tests"; any fixed number that nothing else here uses.


async def prepare(dsn: str) -> None:
    """Put a migrated database, whose roles may log in, in place of an empty one.

    The database `postgres`, of a server that a test has for itself, is migrated where it is.
    """
    name, server = urlsplit(dsn).path.lstrip("/"), dsn.rpartition("/")[0]
    if name == "postgres":
        await _migrate(dsn)
        return
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        template = await _template(connection, server)
        await connection.execute(f'DROP DATABASE "{name}"')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()


def role_dsn(dsn: str, role: str) -> str:
    """`dsn` with the name and the password of `amply_<role>` in place of the superuser's."""
    password = migrate.role_password(SECRET, role)
    return f"postgresql://amply_{role}:{password}@{dsn.rpartition('@')[2]}"


async def _template(connection: Any, server: str) -> str:
    """The name of the migrated database of this server; processes that need it wait for one."""
    every = b"".join(path.read_bytes() for path in sorted(migrate.MIGRATIONS.glob("*.sql")))
    name = f"migrated_{hashlib.sha256(every).hexdigest()[:12]}"
    made = "SELECT datistemplate FROM pg_database WHERE datname = $1"
    if await connection.fetchval(made, name):
        return name
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    if not await connection.fetchval(made, name):
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')  # Of one that was ended.
        await connection.execute(f'CREATE DATABASE "{name}"')
        await _migrate(f"{server}/{name}")
        await connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return name


async def _migrate(dsn: str) -> None:
    await migrate.migrate(dsn)
    await migrate.allow_login(dsn, SECRET)
