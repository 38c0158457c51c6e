"""The public side of an organization: figures, entries by visibility.

Entry texts are public, since the log is; what they seal is opened here only when its day has come
(`delayed_public` past `public_after`). A donor's opening is never shown here. Anyone may look while
SpiceDB lets `visitor:anonymous` view the public ledger.
"""

from typing import Any, Final

from asyncpg import Record

from edge.authorization import Authorization, Question
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.ledger import pages
from edge.ledger import store as entries
from edge.ledger.openings import show
from edge.public import store
from edge.public.counts import VisibilityCounts
from ledger.transparency import Sum, Transparency, transparency
from ledger.visibility import Reader, Role
from topics.outbox import AnyConnection

#: How long a page, and an entry's openings, may be kept when no day comes before.
PAGE_AGE_S_MAX: Final = 5
OPENINGS_AGE_S_MAX: Final = 60
_VISITOR: Final = "visitor:anonymous"


class PublicLedger:
    """What anyone may see."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        authorization: Authorization,
        clock: BusinessClock,
        origin: str,
    ) -> None:
        self._database = database
        self._directory = directory
        self._authorization = authorization
        self._clock = clock
        self._counts = VisibilityCounts()
        self._origin = origin

    async def organization(self, slug: str) -> Organization:
        """The organization; ProblemError 404 when there is none, or none that is public."""
        unknown = ProblemError("organization_not_found")
        organization = await self._directory.organization(slug) if "_" not in slug else None
        if organization is None:
            raise unknown
        await self._authorization.require(
            Question(f"organization:{organization.id}", "view_public_ledger", _VISITOR), unknown
        )
        return organization

    async def _everyone(self, connection: AnyConnection) -> Reader:
        return Reader(Role.PUBLIC, await self._clock.now(connection))

    async def figures(self, organization: Organization) -> dict[str, Any]:
        """Name, what may be told of its money, entries by visibility, where the ledger is."""
        transaction = self._database.transaction([organization.id], is_snapshot=True)
        async with transaction as connection:
            last = await store.last_entry(connection, organization.id)
            count = last["seq"] + 1 if last is not None else 0
            recorded = await self._counts.of(connection, organization.id, count)
            widened = await store.count_widened(connection, organization.id)
            settled = await store.settled(connection, organization.log)
            told = transparency(await store.figures(connection, organization.id), settled)
        base = f"/v1/public/organizations/{organization.slug}"
        log = f"/log/{organization.log}"
        return {
            "object": "organization",
            "id": organization.id,
            "slug": organization.slug,
            "name": organization.name,
            "accepts_donations": organization.accepts_donations,
            "entries": count,
            "visibility": {"recorded": recorded, "widened": widened},
            "totals": [_totals(currency, one) for currency, one in told.items()],
            "log": {"origin": self._origin, "number": organization.log},
            "links": {
                "ledger": f"{base}/ledger",
                "export": f"{base}/ledger/export",
                "checkpoint": f"{log}/checkpoint",
                "verifier_key": f"{log}/vkey",
            },
        }

    async def page(
        self, organization: Organization, cursor: str | None, limit: int
    ) -> tuple[bytes, int]:
        """A page of entries in the order of `seq`, as JSON, and for how many seconds it holds."""
        start = pages.seq_of(cursor) if cursor is not None else 0
        async with self._database.transaction([organization.id]) as connection:
            rows = await entries.entries(connection, organization.id, start, limit + 1)
            reader = await self._everyone(connection)
            shown = await show(connection, organization.id, rows[:limit], reader)
        return pages.page(rows, limit, shown), pages.age_s_max(shown, reader.now, PAGE_AGE_S_MAX)

    async def entry(self, organization: Organization, identifier: str) -> dict[str, Any]:
        """What of an entry never changes; ProblemError 404 when there is none such."""
        async with self._database.transaction([organization.id]) as connection:
            return pages.text(await _find(connection, organization.id, identifier))

    async def openings(
        self, organization: Organization, identifier: str
    ) -> tuple[dict[str, Any], int]:
        """What is opened of an entry by now, and for how many seconds that holds."""
        async with self._database.transaction([organization.id]) as connection:
            row = await _find(connection, organization.id, identifier)
            reader = await self._everyone(connection)
            shown = await show(connection, organization.id, [row], reader)
        age_s = pages.age_s_max(shown, reader.now, OPENINGS_AGE_S_MAX)
        return pages.openings(identifier, shown), age_s


def _totals(currency: str, told: Transparency) -> dict[str, Any]:
    return {
        "currency": currency,
        **_sums(told),
        "shown": _sums(told.shown),
        "folded": _sums(told.folded),
        "entries_waiting": told.entries_waiting,
    }


def _sums(of: Sum | Transparency) -> dict[str, str]:
    return {"income_minor": str(of.income_minor), "expenses_minor": str(of.expenses_minor)}


async def _find(connection: AnyConnection, organization: str, identifier: str) -> Record:
    row = await entries.entry(connection, organization, identifier)
    if row is None:
        raise ProblemError("entry_not_found")
    return row
