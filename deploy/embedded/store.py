"""What the engines ask of PostgreSQL: an answer, and SpiceDB's role and database."""

from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg

from deploy.embedded.errors import EngineStartError

DATABASE = ROLE = "spicedb"
CONNECT_TIMEOUT_S = 5
TABLES = Path(__file__).with_name("spicedb_tables.sql")


async def answers_sql(dsn: str) -> bool:
    """Whether a server takes connections there with these credentials; wrong ones raise."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    except (OSError, asyncpg.CannotConnectNowError):
        return False
    await connection.close()
    return True


async def prepare_database(superuser_dsn: str, password: str) -> str:
    """Create SpiceDB's role and database where missing, and return the role's DSN."""
    connection = await asyncpg.connect(superuser_dsn)
    try:
        if await connection.fetchval("SHOW track_commit_timestamp") != "on":
            raise EngineStartError(
                "SpiceDB needs PostgreSQL to run with track_commit_timestamp=on: "
                "set that on the server given, or give SpiceDB by address too."
            )
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE):
            await connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        # Our own random token (base64url), so it holds no quote.
        await connection.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    finally:
        await connection.close()
    server = urlsplit(superuser_dsn)
    host = server.netloc.rpartition("@")[2]
    netloc = f"{ROLE}:{quote(password)}@{host}"
    return server._replace(netloc=netloc, path=f"/{DATABASE}").geturl()


async def create_tables(dsn: str) -> None:
    """Give the library its tables, all or none."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            async with connection.transaction():
                await connection.execute(TABLES.read_text())
    finally:
        await connection.close()
