"""What witnesses said of the log: the newest cosignature of each, and the newest quorum of them.

Rules: only signature lines are stored, beside the checkpoint that they are lines of, so that a
witnessed note is always the log's own note followed by them; neither goes back to a smaller size.
"""

from datetime import datetime
from typing import Final, NamedTuple

from ledger.store.connection import AnyConnection

SIGNED_ROOT: Final = "SELECT root FROM ledger.checkpoints WHERE log = $1 AND size = $2"
COSIGNED: Final = "SELECT witness, size, cosigned_at FROM ledger.cosignatures WHERE log = $1"
# The condition is for a second process that asks too, and was slower.
SAVE_COSIGNATURE: Final = """
    INSERT INTO ledger.cosignatures AS known (log, witness, size, line) VALUES ($1, $2, $3, $4)
    ON CONFLICT (log, witness) DO UPDATE
        SET size = excluded.size, line = excluded.line, cosigned_at = excluded.cosigned_at
        WHERE known.size <= excluded.size
"""
SAVE_WITNESSED: Final = """
    INSERT INTO ledger.witnessed AS known (log, size, lines) VALUES ($1, $2, $3)
    ON CONFLICT (log) DO UPDATE
        SET size = excluded.size, lines = excluded.lines, witnessed_at = excluded.witnessed_at
        WHERE known.size <= excluded.size
"""
WITNESSED_NOTE: Final = """
    SELECT c.note || w.lines FROM ledger.witnessed w JOIN ledger.checkpoints c USING (log, size)
    WHERE log = $1
"""


class LastCosigned(NamedTuple):
    """What a witness cosigned last: the tree's size, and when it said so."""

    size: int
    at: datetime


async def signed_root(connection: AnyConnection, log: int, size: int) -> bytes | None:
    """The root that was ever signed at a size; None when no checkpoint of this size was."""
    root: bytes | None = await connection.fetchval(SIGNED_ROOT, log, size)
    return root


async def last_cosigned(connection: AnyConnection, log: int) -> dict[str, LastCosigned]:
    """By verifier key, what each witness cosigned last."""
    rows = await connection.fetch(COSIGNED, log)
    return {row["witness"]: LastCosigned(row["size"], row["cosigned_at"]) for row in rows}


async def save_cosignature(
    connection: AnyConnection, log: int, witness: str, size: int, line: str
) -> None:
    """A witness cosigned the published checkpoint of this size with this verified line."""
    await connection.execute(SAVE_COSIGNATURE, log, witness, size, line)


async def save_witnessed(connection: AnyConnection, log: int, size: int, lines: str) -> None:
    """These verified lines meet the policy for the published checkpoint of this size."""
    await connection.execute(SAVE_WITNESSED, log, size, lines)


async def witnessed_note(connection: AnyConnection, log: int) -> str | None:
    """The newest witnessed checkpoint: the log's signed note, then the cosignature lines."""
    note: str | None = await connection.fetchval(WITNESSED_NOTE, log)
    return note
