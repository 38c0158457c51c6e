"""The audit log in PostgreSQL: what waits for its place, the chains, and their records.

Rules: taking over raises the epoch, and every batch checks it on the locked row, so that a process
that was paused while another took over moves nothing; a row leaves "pending" in the transaction in
which its record comes.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record as Row

from ledger.audit import Deed, Head, Record, Sealed, chain
from ledger.store.connection import AnyConnection

INSERT: Final = """
    INSERT INTO audit.pending (organization, occurred_at, actor_kind, actor, credential, action,
        resource, request, outcome, code, times, before, after, client_seal, client)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::integer[], $12::text[],
        $13::text[], $14::text[], $15::bytea[])
"""
TAKE: Final = "UPDATE audit.chainer SET epoch = epoch + 1 RETURNING epoch"
HOLD: Final = """
    SELECT greatest(clock_timestamp(), last_time) AS moment FROM audit.chainer
    WHERE epoch = $1 FOR UPDATE
"""
PENDING: Final = """
    DELETE FROM audit.pending WHERE position IN (
        SELECT position FROM audit.pending ORDER BY position LIMIT $1)
    RETURNING position, organization, occurred_at, actor_kind, actor, credential, action, resource,
        request, outcome, code, times, before, after, client_seal, client
"""
HEADS: Final = """
    SELECT organization, seq, head FROM audit.chains WHERE organization = ANY($1::text[])
"""
MOVE_HEADS: Final = """
    INSERT INTO audit.chains (organization, seq, head)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])
    ON CONFLICT (organization) DO UPDATE SET seq = excluded.seq, head = excluded.head
"""
RECORD: Final = """
    INSERT INTO audit.records (organization, seq, recorded_at, actor, action, resource, bytes, hash)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[],
        $6::text[], $7::bytea[], $8::bytea[])
"""
KEEP_OPENINGS: Final = """
    INSERT INTO audit.openings (organization, seq, actor, resource, client)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[])
"""
MOVE_TIME: Final = "UPDATE audit.chainer SET last_time = $1 WHERE epoch = $2"
TEND: Final = "SELECT audit.tend($1)"
AGE: Final = "SELECT seconds, rows FROM read.audit_age"
FORGET: Final = "SELECT audit.forget($1::text[], $2::text[])"
ENDS: Final = """
    SELECT seq, head, dropped_seq, dropped_head FROM read.audit_chains WHERE organization = $1
"""
WALK: Final = """
    SELECT r.organization, r.seq, r.recorded_at, r.actor, r.action, r.resource, r.bytes, r.hash,
        o.client
    FROM read.audit_records AS r LEFT JOIN read.audit_openings AS o USING (organization, seq)
    WHERE r.organization = $1 AND r.seq > $2 ORDER BY r.seq LIMIT $3
"""
#: Months of partitions to have ready.
MONTHS_AHEAD: Final = 3
_PAGE: Final = 2000


class FencedError(RuntimeError):
    """Another process chains records now."""


async def add(connection: AnyConnection, deeds: Sequence[Deed]) -> None:
    """Have these deeds recorded; in the caller's transaction, whose scope has the organizations."""
    rows = [
        (*deed[:-1], *(deed.client if deed.client is not None else (None, None))) for deed in deeds
    ]
    await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))


async def take(connection: AnyConnection) -> int:
    """Become the one who chains; the epoch to hold."""
    epoch: int = await connection.fetchval(TAKE)
    return epoch


async def advance(connection: AnyConnection, epoch: int, rows_max: int) -> int:
    """Chain the oldest deeds that wait, at most so many; how many there were.

    FencedError when another one took over.
    """
    async with connection.transaction():
        moment: datetime | None = await connection.fetchval(HOLD, epoch)
        if moment is None:
            raise FencedError("another process chains audit records")
        rows = sorted(await connection.fetch(PENDING, rows_max), key=lambda row: row["position"])
        if not rows:
            return 0
        deeds = [_deed(row) for row in rows]
        known = await connection.fetch(HEADS, sorted({deed.organization for deed in deeds}))
        heads = {row["organization"]: Head(row["seq"], row["head"]) for row in known}
        records, moved = chain(deeds, heads, moment)
        ends = [(name, head.seq, head.hash) for name, head in sorted(moved.items())]
        await connection.execute(MOVE_HEADS, *map(list, zip(*ends, strict=True)))
        await connection.execute(RECORD, *map(list, zip(*map(_row, records), strict=True)))
        openings = [
            (record.deed.organization, record.seq, record.deed.actor, record.deed.resource, client)
            for record, row in zip(records, rows, strict=True)
            if (client := row["client"]) is not None
        ]
        if openings:
            await connection.execute(KEEP_OPENINGS, *map(list, zip(*openings, strict=True)))
        await connection.execute(MOVE_TIME, moment, epoch)
    return len(rows)


def _deed(row: Row) -> Deed:
    seal = row["client_seal"]
    client = None if seal is None else Sealed(seal, row["client"] or b"")
    return Deed(**{name: row[name] for name in Deed._fields[:-1]}, client=client)


def _row(record: Record) -> tuple[Any, ...]:
    deed = record.deed
    return (
        *(deed.organization, record.seq, record.recorded_at),
        *(deed.actor, deed.action, deed.resource, record.data, record.hash),
    )


async def tend(connection: AnyConnection) -> int:
    """Make the partitions of the next months, drop those past seven years; how many were."""
    dropped: int = await connection.fetchval(TEND, MONTHS_AHEAD)
    return dropped


async def age(connection: AnyConnection) -> tuple[float, int]:
    """How long the oldest deed has waited, in seconds, and how many wait."""
    row = await connection.fetchrow(AGE)
    assert row is not None
    return row["seconds"], row["rows"]


async def forget(
    connection: AnyConnection, *, actors: Sequence[str] = (), resources: Sequence[str] = ()
) -> int:
    """Delete the personal parts of what these did, and of what was done to those; how many.

    Resources are those of the organizations in the transaction's scope; actors those of all.
    """
    count: int = await connection.fetchval(FORGET, list(actors), list(resources))
    return count


async def ends(connection: AnyConnection, organization: str) -> tuple[Head, Head]:
    """Where a chain goes on after dropped months, and where it ends."""
    row = await connection.fetchrow(ENDS, organization)
    if row is None:
        return Head(-1, None), Head(-1, None)
    return Head(row["dropped_seq"], row["dropped_head"]), Head(row["seq"], row["head"])


async def walk(
    connection: AnyConnection, organization: str, after: int
) -> AsyncIterator[dict[str, Any]]:
    """The chain's records after a position, as they are stored, each with its sealed opening."""
    while True:
        rows = await connection.fetch(WALK, organization, after, _PAGE)
        for row in rows:
            yield dict(row)
        if len(rows) < _PAGE:
            return
        after = rows[-1]["seq"]
