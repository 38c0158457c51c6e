"""Verified webhooks, encrypted, kept for 30 days."""

from collections.abc import Sequence
from typing import Final

from topics.outbox import AnyConnection

STORE: Final = """
    INSERT INTO edge.stripe_events (id, event_type, account, payment_intent, disposition, body)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[])
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""

Row = tuple[str, str, str | None, str | None, str, bytes]


async def store(connection: AnyConnection, rows: Sequence[Row]) -> set[str]:
    """Insert (id, type, account, payment, disposition, encrypted bytes); the ids that were new."""
    ordered = sorted(rows, key=lambda row: row[0])
    records = await connection.fetch(STORE, *map(list, zip(*ordered, strict=True)))
    return {record["id"] for record in records}
