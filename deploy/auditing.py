"""The audit log for operators: checked as it is stored, or written to a file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from deploy.operations.store import organization_id
from edge.database.store import set_scope
from ledger.audit import PLATFORM, Head
from ledger.audit_export import Verified, verify
from ledger.store import audit_checking


class NoSuchLogError(ValueError):
    """There is no such organization."""


async def check(dsn: str, organization: str, key: bytes | None, known: Head | None) -> Verified:
    """Verify the stored log of an organization (slug, or `platform`); AuditError where it fails."""
    async with _snapshot(dsn, organization) as (connection, identifier):
        return await audit_checking.check(connection, identifier, key, known)


async def export(dsn: str, organization: str, key: bytes, path: Path) -> Verified:
    """Write the log to a file, then verify what was written."""
    async with _snapshot(dsn, organization) as (connection, identifier):
        with path.open("wb") as file:
            async for line in audit_checking.copy(connection, identifier, key):
                file.write(line)
    return check_file(path, None)


def check_file(path: Path, known: Head | None) -> Verified:
    """Verify a copy by itself; AuditError where it fails."""
    with path.open("rb") as file:
        return verify(file, known)


@asynccontextmanager
async def _snapshot(dsn: str, organization: str) -> AsyncIterator[tuple[Any, str]]:
    connection = await asyncpg.connect(dsn)
    try:
        identifier = organization
        if organization != PLATFORM:
            known = await organization_id(connection, organization)
            if known is None:
                raise NoSuchLogError(f"there is no organization {organization}")
            identifier = known
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await set_scope(connection, [identifier])
            yield connection, identifier
    finally:
        await connection.close()
