"""Requests that wait for what they refer to, with the Kafka record they came in."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from ledger.store.connection import AnyConnection

AWAITED: Final = "SELECT DISTINCT waits_for FROM ledger.waiting WHERE log = $1"
FIND: Final = """
    SELECT id, organization, waits_for, kafka_offset, key, headers, value FROM ledger.waiting
    WHERE log = $1 AND waits_for = ANY($2::text[]) ORDER BY kafka_offset
"""
PUT: Final = """
    INSERT INTO ledger.waiting (log, id, organization, waits_for, kafka_offset, key, headers, value)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[],
        $7::text[], $8::bytea[])
    ON CONFLICT (log, id) DO UPDATE SET waits_for = excluded.waits_for
"""
REMOVE: Final = "DELETE FROM ledger.waiting WHERE log = $1 AND id = ANY($2::text[])"
AGE: Final = "SELECT seconds, requests FROM read.waiting_age"


class WaitingRow(NamedTuple):
    """A waiting request: `waits_for` is an entry's id, or an organization's for its genesis."""

    id: str
    organization: str
    waits_for: str
    kafka_offset: int
    key: bytes
    headers: str
    value: bytes


async def awaited(connection: AnyConnection, log: int) -> set[str]:
    """Everything that something waits for."""
    return {row["waits_for"] for row in await connection.fetch(AWAITED, log)}


async def find(connection: AnyConnection, log: int, recorded: Collection[str]) -> list[WaitingRow]:
    """What waits for these, in the order of arrival."""
    return [WaitingRow(*row) for row in await connection.fetch(FIND, log, list(recorded))]


async def put(connection: AnyConnection, log: int, rows: Sequence[WaitingRow]) -> None:
    """Keep requests; one that waits already may wait for something else from now on."""
    if rows:
        await connection.execute(PUT, log, *map(list, zip(*rows, strict=True)))


async def remove(connection: AnyConnection, log: int, ids: Collection[str]) -> None:
    """Forget requests that wait no longer."""
    if ids:
        await connection.execute(REMOVE, log, list(ids))


async def age(connection: AnyConnection) -> tuple[float, int]:
    """For how many seconds the oldest request has waited (0 if none does), and how many wait."""
    row = await connection.fetchrow(AGE)
    return (row["seconds"], row["requests"]) if row else (0.0, 0)
