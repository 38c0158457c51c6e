"""The state of gifts in PostgreSQL: one row each, folded by rank in a single statement."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from topics.outbox import AnyConnection
from workers.donations.decisions import Change

_TYPES: Final = {
    "organization": "text",
    "id": "text",
    "status": "text",
    "updated_at": "timestamptz",
    "amount_minor": "bigint",
    "charge_amount_minor": "bigint",
    "currency": "text",
    "fund": "text",
    "covers_fee": "boolean",
    "failure_code": "text",
    "decline_code": "text",
    "payment_intent": "text",
    "entry_id": "text",
    "log": "integer",
    "index": "bigint",
    "seq": "bigint",
    "created_at": "timestamptz",
}
_COLUMNS: Final = [column.name for column in fields(Change)]
_KEPT: Final = [name for name in _COLUMNS if name not in {"organization", "id", "status"}]

# Built from constants only. `greatest` on the status compares ranks: the type lists them in order.
UPSERT: Final = f"""
    WITH changed AS (
        INSERT INTO donations.donations AS d ({", ".join(_COLUMNS)})
        SELECT {", ".join("status::donations.status" if c == "status" else c for c in _COLUMNS)}
        FROM unnest({", ".join(f"${n}::{_TYPES[c]}[]" for n, c in enumerate(_COLUMNS, 1))})
            AS c ({", ".join(_COLUMNS)})
        ON CONFLICT (organization, id) DO UPDATE SET
            status = greatest(d.status, excluded.status),
            {
    ", ".join(
        f"{c} = greatest(d.{c}, excluded.{c})"
        if c == "updated_at"
        else f"{c} = coalesce(d.{c}, excluded.{c})"
        for c in _KEPT
    )
}
        RETURNING id
    )
    SELECT count(pg_notify('donations', id)) FROM changed
"""  # noqa: S608 - column names are this module's constants, no value is in the text


async def fold_in(connection: AnyConnection, changes: Sequence[Change]) -> None:
    """Fold changes, at most one for each gift, into the rows; wake who waits for these gifts."""
    if changes:
        await connection.execute(
            UPSERT, *[[getattr(change, name) for change in changes] for name in _COLUMNS]
        )
