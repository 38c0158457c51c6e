"""Requests to forget donors as staff sees them: of all organizations, by ids."""

from datetime import datetime
from typing import Any, Final

from edge.rights.store import WAKE
from topics.outbox import AnyConnection

Row = dict[str, Any]

LIST: Final = "SELECT * FROM edge.erasures_for_staff(NULL, $1, $2, $3, $4)"
ONE: Final = "SELECT * FROM edge.erasures_for_staff($1, NULL, NULL, NULL, 1)"
ASK: Final = """
    INSERT INTO edge.erasure_requests (id, organization, profile, basis, requested_by, decision)
    VALUES ($1, $2, $3, $4, $5, 'waiting') ON CONFLICT (profile, organization) DO NOTHING
"""
DECIDE: Final = """
    UPDATE edge.erasure_requests
    SET decision = $3, decided_by = $4, decided_at = clock_timestamp(), reason = $5
    WHERE organization = $1 AND id = $2
"""


async def page(
    connection: AnyConnection,
    status: str | None,
    after: tuple[datetime | None, str | None],
    rows_max: int,
) -> list[Row]:
    """Requests, oldest first."""
    return [dict(row) for row in await connection.fetch(LIST, status, *after, rows_max)]


async def one(connection: AnyConnection, identifier: str) -> Row | None:
    """A request by its id."""
    row = await connection.fetchrow(ONE, identifier)
    return dict(row) if row is not None else None


async def ask(
    connection: AnyConnection,
    identifier: str,
    organization: str,
    donor: str,
    basis: str,
    requested_by: str,
) -> None:
    """A request that waits, unless there is one about this donor."""
    await connection.execute(ASK, identifier, organization, donor, basis, requested_by)


async def decide(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    decision: str,
    by: str,
    reason: str | None,
) -> None:
    """Approve a request, which is then carried out, or refuse it."""
    await connection.execute(DECIDE, organization, identifier, decision, by, reason)
    if decision == "approved":
        await connection.execute(WAKE)
