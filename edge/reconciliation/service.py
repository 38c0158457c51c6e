"""The report of an organization, for keys with the scope and SpiceDB's `export_ledger`.

That is what finance people and auditors have: the report tells all money of an organization.
"""

from datetime import UTC, date, datetime
from typing import Final

from edge.database.pool import Database
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.reconciliation import store
from edge.reconciliation.report import Found

SCOPE: Final = "reconciliation:read"
DAYS_DEFAULT: Final = 31
DAYS_MAX: Final = 366
DIFFERENCES_MAX: Final = 200


class Reconciliations:
    """Reads what the process `reconciliation` found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, organization: Organization, first: date | None, last: date | None
    ) -> tuple[date, date, Found]:
        """What was found from day to day; by default of the newest days on which money moved."""
        key = organization.id
        async with self._database.transaction([key], is_snapshot=True) as connection:
            if last is None:
                last = await store.newest_day(connection, key) or datetime.now(UTC).date()
                last = max(last, first or last)
            first = first or date.fromordinal(max(1, last.toordinal() - DAYS_DEFAULT + 1))
            if not 0 <= (last - first).days < DAYS_MAX:
                raise ProblemError(
                    "query_not_accepted",
                    f"`from` to `to` must be 1 to {DAYS_MAX} days.",
                    param="from",
                )
            found = Found(
                await store.accounts(connection, key),
                await store.openings(connection, key, first),
                await store.days(connection, key, first, last),
                await store.counts(connection, key),
                await store.differences(connection, key, DIFFERENCES_MAX),
            )
        return first, last, found
