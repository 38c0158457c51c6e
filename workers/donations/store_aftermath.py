"""Refunds and disputes of gifts in PostgreSQL: of each the highest version that was told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from contracts.disputes import DisputeChanged
from contracts.message import Envelope
from contracts.refunds import RefundChanged
from topics.outbox import AnyConnection

_REFUND: Final[dict[str, str]] = {
    "donation": "text",
    "version": "integer",
    "status": "text",
    "amount_minor": "bigint",
    "currency": "text",
    "reason": "text",
    "code": "text",
    "stripe_refund": "text",
    "entry": "text",
    "failure_entry": "text",
    "created_at": "timestamptz",
}
_DISPUTE: Final[dict[str, str]] = {
    "donation": "text",
    "version": "integer",
    "status": "text",
    "reason": "text",
    "amount_minor": "bigint",
    "withdrawn_minor": "bigint",
    "currency": "text",
    "blocks_refunds": "boolean",
    "is_return": "boolean",
    "evidence_due_at": "timestamptz",
    "stripe_dispute": "text",
    "entries": "text[]",
    "created_at": "timestamptz",
}


def _upsert(table: str, columns: Mapping[str, str]) -> str:
    names = ["organization", "id", "updated_at", *columns]
    types = ["text", "text", "timestamptz", *columns.values()]
    return f"""
        WITH changed AS (
            INSERT INTO donations.{table} AS d ({", ".join(names)})
            VALUES ({", ".join(f"${n}::{kind}" for n, kind in enumerate(types, 1))})
            ON CONFLICT (id, organization) DO UPDATE
            SET {", ".join(f"{name} = excluded.{name}" for name in names[2:])}
            WHERE d.version < excluded.version
            RETURNING id, donation
        )
        SELECT count(pg_notify('donations', id)) + count(pg_notify('donations', donation))
        FROM changed
    """  # noqa: S608 - names are this module's constants, no value is in the text


REFUND: Final = _upsert("refunds", _REFUND)
DISPUTE: Final = _upsert("disputes", _DISPUTE)


async def fold_refunds(
    connection: AnyConnection, messages: Sequence[Envelope[RefundChanged]]
) -> None:
    """Keep the newest of each refund; wake who waits for it or for its gift."""
    rows = [
        (each.organization, each.body.refund, each.time, each.body, _REFUND) for each in messages
    ]
    await _fold(connection, REFUND, rows)


async def fold_disputes(
    connection: AnyConnection, messages: Sequence[Envelope[DisputeChanged]]
) -> None:
    """Keep the newest of each dispute; wake who waits for its gift."""
    rows = [
        (each.organization, each.body.dispute, each.time, each.body, _DISPUTE) for each in messages
    ]
    await _fold(connection, DISPUTE, rows)


async def _fold(
    connection: AnyConnection,
    statement: str,
    rows: Sequence[tuple[str, str, datetime, Any, Mapping[str, str]]],
) -> None:
    # In one order, so that two batches wait for one another.
    for organization, identifier, time, body, columns in sorted(rows, key=lambda row: row[1]):
        values = [getattr(body, name) for name in columns]
        await connection.execute(statement, organization, identifier, time, *values)
