"""Entries, their newest labels and their openings, through the read views."""

from collections.abc import Sequence
from typing import Final

from asyncpg import Record

from ledger.visibility import Label
from topics.outbox import AnyConnection

ENTRIES: Final = """
    SELECT seq, index, id, kind, bytes FROM read.entries
    WHERE organization = $1 AND seq >= $2 ORDER BY seq LIMIT $3
"""
ENTRY: Final = """
    SELECT seq, index, id, kind, bytes FROM read.entries WHERE organization = $1 AND id = $2
"""
CHANGES: Final = """
    SELECT entry_id, visibility, public_after FROM read.visibility_changes
    WHERE organization = $1 AND entry_id = ANY($2::text[])
"""
OPENINGS: Final = """
    SELECT entry_id, section, plain FROM read.openings
    WHERE organization = $1 AND entry_id = ANY($2::text[]) AND section IN ('money', 'details')
"""
FUNDS: Final = "SELECT id FROM read.funds WHERE organization = $1 ORDER BY id"


async def entries(
    connection: AnyConnection, organization: str, seq: int, count: int
) -> list[Record]:
    """Up to `count` entries from `seq` on."""
    return await connection.fetch(ENTRIES, organization, seq, count)


async def entry(connection: AnyConnection, organization: str, identifier: str) -> Record | None:
    """One entry of the organization."""
    return await connection.fetchrow(ENTRY, organization, identifier)


async def changes(
    connection: AnyConnection, organization: str, entries: Sequence[str]
) -> dict[str, Label]:
    """The newest labels of those of the entries whose visibility was changed."""
    rows = await connection.fetch(CHANGES, organization, list(entries))
    return {row["entry_id"]: Label(row["visibility"], row["public_after"]) for row in rows}


async def openings(
    connection: AnyConnection, organization: str, entries: Sequence[str]
) -> dict[str, dict[str, bytes]]:
    """The openings of money and details of these entries, by entry and section."""
    found: dict[str, dict[str, bytes]] = {}
    for row in await connection.fetch(OPENINGS, organization, list(entries)):
        found.setdefault(row["entry_id"], {})[row["section"]] = row["plain"]
    return found


async def funds(connection: AnyConnection, organization: str) -> list[str]:
    """The organization's funds."""
    return [row["id"] for row in await connection.fetch(FUNDS, organization)]
