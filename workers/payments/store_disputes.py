"""Disputes in PostgreSQL, each as it was last seen."""

from dataclasses import asdict
from typing import Any, Final

from topics.outbox import AnyConnection
from workers.payments.bookings import WrittenOff
from workers.payments.decisions_disputes import Known

_NAMES: Final = (
    "organization",
    "id",
    "donation",
    "charge",
    "stripe_dispute",
    "status",
    "reason",
    "amount_minor",
    "withdrawn_minor",
    "currency",
    "blocks_refunds",
    "is_return",
    "evidence_due_at",
    "movements",
    "entries",
    "version",
    "seen_at",
    "created_at",
)
_WRITTEN_OFF: Final = ("written_off_minor", "written_off_presented", "adjustments", "adjustment")
_COLUMNS: Final = (*_NAMES, *_WRITTEN_OFF)
_FIXED: Final = ("organization", "id", "donation", "charge", "stripe_dispute", "created_at")

# A dispute that nobody has stored yet is locked by its name.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
FIND: Final = f"""
    SELECT {", ".join(_COLUMNS)} FROM payments.disputes WHERE organization = $1 AND id = $2
"""  # noqa: S608 - column names are this module's constants, no value is in the text
KEEP: Final = f"""
    INSERT INTO payments.disputes ({", ".join(_COLUMNS)})
    VALUES ({", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))})
    ON CONFLICT (id, organization) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _FIXED)}
"""  # noqa: S608 - column names are this module's constants, no value is in the text


async def lock(connection: AnyConnection, organization: str, dispute: str) -> Known | None:
    """What is known of a dispute; nobody else changes it until this transaction ends."""
    await connection.execute(LOCK, dispute)
    row = await connection.fetchrow(FIND, organization, dispute)
    if row is None:
        return None
    values: dict[str, Any] = {name: row[name] for name in _NAMES}
    values["entries"] = tuple(row["entries"])
    written_off = WrittenOff(*(row[name] for name in _WRITTEN_OFF))
    return Known(**values, written_off=written_off)


async def keep(connection: AnyConnection, known: Known) -> None:
    """Store what is known now."""
    row = asdict(known)
    off = known.written_off
    await connection.execute(
        KEEP,
        *(row[name] for name in _NAMES),
        *(off.settled_minor, off.presented_minor, off.entries, off.newest),
    )
