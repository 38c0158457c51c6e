"""The audit log for operators: checked as it is stored, or written to a file."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from amply_verify.note import parse_verifier_key
from deploy.operations.store import organization_id
from edge.database.store import set_scope
from ledger import audit_anchor
from ledger.audit import PLATFORM, AuditError, Head
from ledger.audit_anchor import Anchor
from ledger.audit_export import Verified, verify
from ledger.store import audit_anchoring, audit_checking

#: The name of a chain, also of an organization that is gone.
_IDENTIFIER: Final = re.compile(r"org_[0-7][0-9a-hjkmnp-tv-z]{25}")


class NoSuchLogError(ValueError):
    """There is no such organization."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A log that holds, and what the log's key signed of it: None when it never did."""

    verified: Verified
    anchor: Anchor | None


def read_anchors(path: Path, keys: Sequence[str]) -> dict[str, Anchor]:
    """Anchors by chain, none where there is no file; AnchorError or NoteError."""
    if not path.exists():
        return {}
    found = audit_anchor.read(path.read_bytes(), [parse_verifier_key(key) for key in keys])
    return {chain: anchor for chain, (anchor, _) in found.items()}


async def check(
    dsn: str,
    organization: str,
    key: bytes | None,
    known: Head | None,
    anchors: Mapping[str, Anchor],
) -> Checked:
    """Verify the stored log of an organization (slug, id, or `platform`); AuditError."""
    async with _snapshot(dsn, organization) as (connection, identifier):
        anchor = anchors.get(identifier)
        verified = await audit_checking.check(connection, identifier, key, known, anchor)
        return Checked(verified, anchor)


async def check_all(
    dsn: str, key: bytes | None, anchors: Mapping[str, Anchor]
) -> list[Checked | tuple[str, AuditError]]:
    """Verify all logs that are stored or were anchored; failures stand in their place."""
    connection = await asyncpg.connect(dsn)
    try:
        stored = await audit_anchoring.chains(connection)
    finally:
        await connection.close()
    found: list[Checked | tuple[str, AuditError]] = []
    for chain in sorted({*stored, *anchors}):
        try:
            found.append(await check(dsn, chain, key, None, anchors))
        except AuditError as error:
            found.append((chain, error))
    return found


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
        if organization != PLATFORM and not _IDENTIFIER.fullmatch(organization):
            known = await organization_id(connection, organization)
            if known is None:
                raise NoSuchLogError(f"there is no organization {organization}")
            identifier = known
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await set_scope(connection, [identifier])
            yield connection, identifier
    finally:
        await connection.close()
