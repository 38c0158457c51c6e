"""The state of gifts in PostgreSQL: one row each, folded by step in a single statement."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from topics.outbox import AnyConnection
from workers.donations.decisions import OF_FAILURE, Change

_TYPES: Final = {
    "organization": "text",
    "id": "text",
    "status": "text",
    "updated_at": "timestamptz",
    "attempt": "integer",
    "amount_minor": "bigint",
    "charge_amount_minor": "bigint",
    "currency": "text",
    "fund": "text",
    "covers_fee": "boolean",
    "campaign": "text",
    "failed_attempt": "integer",
    "failure_code": "text",
    "decline_code": "text",
    "minimum_minor": "bigint",
    "minimum_currency": "text",
    "payment_intent": "text",
    "entry_id": "text",
    "log": "integer",
    "index": "bigint",
    "seq": "bigint",
    "created_at": "timestamptz",
    "step": "integer",
}
_COLUMNS: Final = [*(column.name for column in fields(Change)), "step"]

# The step of a row from before there were steps is that of its status in a first attempt.
_STEP: Final = """coalesce(d.step, CASE d.status WHEN 'pending' THEN 0
    WHEN 'requires_action' THEN 11 WHEN 'processing' THEN 12 WHEN 'failed' THEN 13
    WHEN 'captured' THEN 1000002 ELSE 1000003 END)"""
_FAILED: Final = "coalesce(d.failed_attempt, CASE WHEN d.failure_code IS NULL THEN 0 ELSE 1 END)"


def _folded(column: str) -> str:
    """How a column of a stored row takes in that of a change."""
    if column == "status":
        return f"CASE WHEN excluded.step > {_STEP} THEN excluded.status ELSE d.status END"
    if column == "step":
        return f"greatest({_STEP}, excluded.step)"
    if column in ("updated_at", "attempt"):
        return f"greatest(d.{column}, excluded.{column})"
    if column in OF_FAILURE:
        newer = f"excluded.failed_attempt > {_FAILED}"
        return f"CASE WHEN {newer} THEN excluded.{column} ELSE d.{column} END"
    return f"coalesce(d.{column}, excluded.{column})"


_FOLDED: Final = [f"{c} = {_folded(c)}" for c in _COLUMNS if c not in ("organization", "id")]

# Built from constants only.
UPSERT: Final = f"""
    WITH changed AS (
        INSERT INTO donations.donations AS d ({", ".join(_COLUMNS)})
        SELECT {", ".join("status::donations.status" if c == "status" else c for c in _COLUMNS)}
        FROM unnest({", ".join(f"${n}::{_TYPES[c]}[]" for n, c in enumerate(_COLUMNS, 1))})
            AS c ({", ".join(_COLUMNS)})
        ON CONFLICT (organization, id) DO UPDATE SET
            {", ".join(_FOLDED)}
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
