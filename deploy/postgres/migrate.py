"""Bring a database to the newest migration: numbered SQL files, each once, whole or not at all.

A file that was applied never changes: its checksum is compared. Two runners at once wait for one
another. A statement that cannot get its lock in 10 s gives up, so that a migration never blocks
the platform for longer.
"""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg

from contracts.environments import DEVELOPMENT_MARK

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: The processes that log in; each has the role `amply_<name>` and a password of its own.
ROLES: Final = (
    "edge",
    "relay",
    "accounts",
    "donations",
    "payments",
    "fees",
    "bookkeeping",
    "books",
    "checkpoints",
    "witnesses",
    "payouts",
    "notifications",
    "permissions",
    "events",
    "reconciliation",
    "audit",
    "retention",
    "operations",
)

_LOCK: Final = 0x616D706C79  # "amply"; any fixed number that nothing else here uses.

_REGISTRY: Final = """
    CREATE TABLE IF NOT EXISTS public.migrations (
        name       text        PRIMARY KEY,
        checksum   text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


#: Each try loses to another database that has committed a role meanwhile; there are few roles.
_TRIES: Final = 20


class MigrationChangedError(RuntimeError):
    """A migration differs from the one that was applied. Add a new file instead of editing one."""


async def migrate(dsn: str, *, progress: Callable[[str], None] = lambda name: None) -> int:
    """Apply what is missing and return how many files that were."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_REGISTRY)
        rows = await connection.fetch("SELECT name, checksum FROM public.migrations")
        applied = {row["name"]: row["checksum"] for row in rows}
        count = 0
        for path in sorted(MIGRATIONS.glob("*.sql")):
            sql = path.read_text()
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            if path.name in applied:
                if applied[path.name] != checksum:
                    raise MigrationChangedError(f"{path.name} was changed after it was applied")
                continue
            progress(path.name)
            await _apply(connection, path.name, sql, checksum)
            count += 1
        return count
    finally:
        await connection.close()


async def _apply(connection: Any, name: str, sql: str, checksum: str) -> None:
    """One file in one transaction, again while other databases make the cluster's roles too."""
    for tries_left in reversed(range(_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '10s'")
                await connection.execute(sql)
                await connection.execute(
                    "INSERT INTO public.migrations (name, checksum) VALUES ($1, $2)", name, checksum
                )
            return
        except asyncpg.SerializationError:
            if not tries_left:
                raise


def role_password(secret: bytes, role: str) -> str:
    """The password of `amply_<role>` on a developer's machine, derived from its secret."""
    drawn = hmac.new(secret, f"postgres/{role}".encode(), hashlib.sha256).hexdigest()
    return DEVELOPMENT_MARK + drawn


async def allow_login(dsn: str, secret: bytes) -> None:
    """Give every role its password and the right to log in."""
    connection = await asyncpg.connect(dsn)
    try:
        for role in ROLES:
            password = role_password(secret, role)  # Letters, digits and hyphens only.
            await connection.execute(f"ALTER ROLE amply_{role} LOGIN PASSWORD '{password}'")
    finally:
        await connection.close()
