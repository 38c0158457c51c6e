"""Forgetting donors in the ledger: openings go at once, the log states it once a day.

Rules: a forgotten profile's opening is never stored again, which the database itself sees to
(`ledger.keep_forgotten`); an entry stays pending until the log holds its erasure.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from ledger.store.connection import AnyConnection

FORGET: Final = "SELECT ledger.forget_donor($1, $2, $3, $4, $5)"
FORGOTTEN_AT: Final = """
    SELECT forgotten_at FROM ledger.forgotten WHERE organization = $1 AND profile = $2
"""
FORGOTTEN: Final = "SELECT organization, profile FROM ledger.forgotten"
# The row's lock lets one process only take a day.
TAKE_DAY: Final = """
    UPDATE ledger.erasure_run SET last_on = $1 WHERE last_on IS NULL OR last_on < $1
    RETURNING last_on
"""
WANT_RUN: Final = "UPDATE ledger.erasure_run SET last_on = NULL"
PENDING: Final = "SELECT organization, entry_id, basis FROM ledger.pending_erasures"
RECORDED: Final = "SELECT id FROM ledger.entries WHERE id = ANY($1::text[])"
SETTLE: Final = """
    DELETE FROM ledger.pending_erasures AS pending
    USING unnest($1::text[], $2::text[]) AS settled (organization, entry_id)
    WHERE pending.organization = settled.organization AND pending.entry_id = settled.entry_id
"""


class PendingErasure(NamedTuple):
    """An entry whose donor was forgotten; `basis` is the code of the reason."""

    organization: str
    entry_id: str
    basis: str


async def forget(
    connection: AnyConnection,
    organization: str,
    profile: str,
    donations: Sequence[str],
    basis: str,
    moment: datetime,
) -> int:
    """Delete the donor openings of a profile's donations; how many entries are pending for it."""
    entries: int = await connection.fetchval(
        FORGET, organization, profile, donations, basis, moment
    )
    return entries


async def forgotten_at(
    connection: AnyConnection, organization: str, profile: str
) -> datetime | None:
    """When the profile was forgotten; None when it was not."""
    moment: datetime | None = await connection.fetchval(FORGOTTEN_AT, organization, profile)
    return moment


async def forgotten(connection: AnyConnection) -> set[tuple[str, str]]:
    """Every (organization, profile) that was forgotten."""
    return {tuple(row) for row in await connection.fetch(FORGOTTEN)}


async def take_day(connection: AnyConnection, today: date) -> bool:
    """Whether the caller's transaction is the one that makes this day's run."""
    return await connection.fetchval(TAKE_DAY, today) is not None


async def want_run(connection: AnyConnection) -> None:
    """Have the run made now, whatever day the last one was."""
    await connection.execute(WANT_RUN)


async def pending(connection: AnyConnection) -> list[PendingErasure]:
    """Every entry whose erasure the log does not hold, as far as is known."""
    return [PendingErasure(*row) for row in await connection.fetch(PENDING)]


async def recorded(connection: AnyConnection, ids: Collection[str]) -> set[str]:
    """Those of the entries that the log holds."""
    return {row["id"] for row in await connection.fetch(RECORDED, list(ids))}


async def settle(connection: AnyConnection, erasures: Sequence[PendingErasure]) -> None:
    """The log holds these erasures: they are pending no longer."""
    if erasures:
        organizations, entries, _ = zip(*erasures, strict=True)
        await connection.execute(SETTLE, organizations, entries)
