"""Transactions through the read view."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from edge.database.rows import Row, many, one
from edge.texts import moment_of
from topics.outbox import AnyConnection

_TRANSACTION: Final = """
    SELECT t.id, t.organization, t.fund, t.type, t.amount::bigint AS amount_minor, t.currency,
        t.entry_id, t.ref, t.campaign, t.project, t.booking, t.occurred, t.recorded_at,
        CASE WHEN t.type IN ('donation', 'grant') THEN coalesce((
            SELECT sum(r.amount) FROM read.transactions AS r
            WHERE r.ref = t.entry_id AND r.organization = t.organization
                AND r.type = 'refund_issued'), 0) END::bigint AS taken_back_minor
    FROM read.transactions AS t WHERE t.organization = $1
"""
TRANSACTION: Final = _TRANSACTION + " AND t.id = $2"
TRANSACTIONS: Final = (
    _TRANSACTION
    + """
    AND ($2::timestamptz IS NULL OR (t.recorded_at, t.id) < ($2, $3))
    AND ($4::text IS NULL OR t.fund = $4) AND ($5::text IS NULL OR t.type = $5)
    AND ($6::text IS NULL OR t.project = $6) AND ($7::text IS NULL OR t.campaign = $7)
    AND ($8::timestamptz IS NULL OR t.recorded_at >= $8)
    AND ($9::timestamptz IS NULL OR t.recorded_at < $9)
    ORDER BY t.recorded_at DESC, t.id DESC LIMIT $10
"""
)


async def transaction(connection: AnyConnection, organization: str, identifier: str) -> Row | None:
    """One transaction."""
    return await one(connection, TRANSACTION, organization, identifier)


async def transactions(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    fund: str | None,
    filters: Mapping[str, str],
    most: int,
) -> list[Row]:
    """Transactions, newest first, behind `after`."""
    return await many(
        connection,
        *(TRANSACTIONS, organization, *after, fund or filters.get("fund"), filters.get("type")),
        *(filters.get("project"), filters.get("campaign")),
        *(moment_of(filters.get("from")), moment_of(filters.get("before"))),
        most,
    )
