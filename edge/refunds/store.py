"""Refunds that were asked for, and the read views of refunds and disputes."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from edge.refunds.decisions import After
from topics.outbox import AnyConnection

#: Refunds of one gift are accepted one after the other, so that each sees the one before.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_REQUEST: Final = """
    SELECT id, recipient, donation, amount_minor, currency, reason, fingerprint, created_at
    FROM edge.refund_requests
"""
BY_KEY: Final = _REQUEST + " WHERE idempotency_key = $1 AND organization = $2 AND environment = $3"
BY_ID: Final = _REQUEST + " WHERE id = $1"
#: A request is told of once payments has decided; until then the edge's own row stands for it.
UNTOLD: Final = (
    _REQUEST
    + """ AS q WHERE recipient = $1 AND donation = $2
        AND NOT EXISTS (SELECT FROM read.refunds AS r
            WHERE r.organization = q.recipient AND r.id = q.id)
    ORDER BY created_at, id"""
)
ACCEPT: Final = """
    INSERT INTO edge.refund_requests (organization, environment, idempotency_key, fingerprint, id,
        recipient, donation, amount_minor, currency, reason, requested_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT DO NOTHING RETURNING id
"""
_REFUND: Final = """
    SELECT id, organization, donation, status, amount_minor, currency, reason, code, entry,
        failure_entry, created_at, updated_at
    FROM read.refunds
"""
REFUND: Final = _REFUND + " WHERE organization = $1 AND id = $2"
REFUNDS: Final = _REFUND + " WHERE organization = $1 AND donation = $2 ORDER BY created_at, id"
AFTER: Final = """
    SELECT
        (SELECT coalesce(json_agg(json_build_object('id', id, 'status', status,
                'amount_minor', amount_minor) ORDER BY created_at, id), '[]')
            FROM read.refunds WHERE organization = $1 AND donation = $2) AS refunds,
        (SELECT coalesce(json_agg(json_build_object('id', id, 'status', status, 'reason', reason,
                'amount_minor', amount_minor, 'withdrawn_minor', withdrawn_minor,
                'currency', currency, 'blocks_refunds', blocks_refunds, 'is_return', is_return,
                'evidence_due_at', to_char(evidence_due_at AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY created_at, id), '[]')
            FROM read.disputes WHERE organization = $1 AND donation = $2) AS disputes,
        (SELECT coalesce(json_agg(json_build_object('id', q.id, 'amount_minor', q.amount_minor)
                ORDER BY q.created_at, q.id), '[]')
            FROM edge.refund_requests AS q
            WHERE q.recipient = $1 AND q.donation = $2 AND NOT EXISTS (
                SELECT FROM read.refunds AS r
                WHERE r.organization = q.recipient AND r.id = q.id)) AS requests
"""


async def lock(connection: AnyConnection, donation: str) -> None:
    """Wait for other requests about this gift that are under way."""
    await connection.execute(LOCK, donation)


Row = dict[str, Any]


async def _one(connection: AnyConnection, query: str, *values: str) -> Row | None:
    row = await connection.fetchrow(query, *values)
    return dict(row) if row is not None else None


async def find_request(connection: AnyConnection, key: Sequence[str]) -> Row | None:
    """The request under (Idempotency-Key, organization of the key, environment)."""
    return await _one(connection, BY_KEY, *key)


async def find_request_of(connection: AnyConnection, refund: str) -> Row | None:
    """The request for a refund that the organizations in scope made, or that is of their gift."""
    return await _one(connection, BY_ID, refund)


async def accept(connection: AnyConnection, row: Sequence[Any]) -> bool:
    """Insert a request (columns as in ACCEPT); False when its key was taken meanwhile."""
    return await connection.fetchval(ACCEPT, *row) is not None


async def find_refund(connection: AnyConnection, organization: str, refund: str) -> Row | None:
    """What was told of a refund."""
    return await _one(connection, REFUND, organization, refund)


async def list_refunds(connection: AnyConnection, organization: str, donation: str) -> list[Row]:
    """What was told of a gift's refunds, oldest first."""
    return [dict(row) for row in await connection.fetch(REFUNDS, organization, donation)]


async def untold_requests(connection: AnyConnection, organization: str, donation: str) -> list[Row]:
    """Requests for a gift of this organization that nobody has told of yet."""
    return [dict(row) for row in await connection.fetch(UNTOLD, organization, donation)]


async def after(connection: AnyConnection, organization: str, donation: str) -> After:
    """What came after a gift, in one look."""
    row = await connection.fetchrow(AFTER, organization, donation)
    assert row is not None
    return After(*(orjson.loads(row[part]) for part in ("refunds", "disputes", "requests")))
