"""Deleting what is due, a little at a time, and the requests to forget somebody."""

from datetime import datetime
from typing import Final, NamedTuple

from topics.outbox import AnyConnection
from workers.retention.table import Rule

#: In bounded steps, so that no transaction grows long. The names are the code's own.
_DELETE: Final = """
    DELETE FROM {table} WHERE (tableoid, ctid) IN (
        SELECT tableoid, ctid FROM {table}
        WHERE {since} < $1::timestamptz - $2::interval AND {condition} LIMIT $3)
"""
WITHOUT_GIFTS: Final = "SELECT organization, profile FROM edge.donors_without_gifts($1, $2)"
TO_FORGET: Final = """
    SELECT id, organization, profile, basis FROM edge.erasure_requests
    WHERE done_at IS NULL AND decision = 'approved' ORDER BY requested_at, id LIMIT $1
"""
FORGOTTEN: Final = "UPDATE edge.erasure_requests SET done_at = clock_timestamp() WHERE id = $1"
LEAD: Final = "SELECT pg_try_advisory_lock($1)"
CLOCK: Final = "SELECT clock_timestamp()"
_LOCK: Final = 0x616D706C7903  # Any fixed number that nothing else in this database locks.


class Request(NamedTuple):
    """Somebody who shall be forgotten."""

    id: str
    organization: str
    profile: str
    basis: str


async def lead(connection: AnyConnection) -> bool:
    """Take the lock of the one process that does this, for as long as the connection lives."""
    taken: bool = await connection.fetchval(LEAD, _LOCK)
    return taken


async def clock(connection: AnyConnection) -> datetime:
    """The recording clock."""
    moment: datetime = await connection.fetchval(CLOCK)
    return moment


async def delete_due(connection: AnyConnection, rule: Rule, moment: datetime, most: int) -> int:
    """Delete what is due at `moment` by a rule, at most so many rows; how many there were."""
    sql = _DELETE.format(table=rule.table, since=rule.since, condition=rule.condition)
    status = await connection.execute(sql, moment, rule.kept, most)
    return int(status.rpartition(" ")[2])


async def without_gifts(
    connection: AnyConnection, before: datetime, most: int
) -> list[tuple[str, str]]:
    """(organization, profile) of donors of whom no gift came, known since before a time."""
    rows = await connection.fetch(WITHOUT_GIFTS, before, most)
    return [(row["organization"], row["profile"]) for row in rows]


async def to_forget(connection: AnyConnection, most: int) -> list[Request]:
    """Requests that were not met yet, the oldest first."""
    return [Request(**dict(row)) for row in await connection.fetch(TO_FORGET, most)]


async def forgotten(connection: AnyConnection, request: str) -> None:
    """Note that a request was met."""
    await connection.execute(FORGOTTEN, request)
