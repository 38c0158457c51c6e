"""Payouts of an organization, as its members see them."""

from collections.abc import AsyncIterator
from typing import Any, Final

from asyncpg import Record

from edge.audit import writing as audit
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.listing import cursor_of, listing, parts_of
from edge.payouts import pages, store
from edge.payouts.models import PayoutSettingsChange

READ: Final = "payouts:read"
WRITE: Final = "payouts:write"
_PAGE: Final = 1000


class PayoutBooks:
    """What was paid out, what adds up to it, and what the organization wants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, organization: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """A page of payouts, newest first."""
        after = None
        if cursor is not None:
            moment, (identifier,) = parts_of(cursor, 2)
            after = (moment, identifier)
        async with self._database.transaction([organization]) as connection:
            rows = await store.payouts(connection, organization, after, limit + 1)
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursor_of(last["created_at"].isoformat(), last["id"])
        return listing([pages.summary(row) for row in rows[:limit]], following)

    async def payout(self, organization: str, identifier: str) -> dict[str, Any]:
        """A payout with its totals; ProblemError 404."""
        async with self._database.transaction([organization], is_snapshot=True) as connection:
            row = await store.payout(connection, organization, identifier)
            if row is None:
                raise ProblemError("payout_not_found")
            totals = await store.totals(connection, organization, identifier)
        return pages.payout(row, totals)

    async def items(
        self, organization: str, identifier: str, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """A page of what a payout carries, oldest first; ProblemError 404, 409 while it waits."""
        await self.split_payout(organization, identifier)
        rows = await self._items(organization, identifier, cursor, limit + 1)
        following = _after(rows[limit - 1]) if len(rows) > limit else None
        return listing([pages.item(row) for row in rows[:limit]], following)

    async def split_payout(self, organization: str, identifier: str) -> Record:
        """A payout whose items are known; ProblemError 404, 409 while it waits for them."""
        async with self._database.transaction([organization]) as connection:
            row = await store.payout(connection, organization, identifier)
        if row is None:
            raise ProblemError("payout_not_found")
        if row["rule"] is None:
            raise ProblemError("payout_not_split")
        return row

    async def csv(self, organization: str, payout: Record) -> AsyncIterator[str]:
        """All items as CSV: items of a payout never change, so pages make one copy."""
        yield pages.csv_head()
        cursor = None
        while True:
            rows = await self._items(organization, payout["id"], cursor, _PAGE)
            yield pages.csv_lines(payout, rows)
            if len(rows) < _PAGE:
                break
            cursor = _after(rows[-1])
        yield pages.csv_fee(payout)

    async def _items(
        self, organization: str, identifier: str, cursor: str | None, most: int
    ) -> list[Record]:
        after = None
        if cursor is not None:
            moment, (transaction, fund) = parts_of(cursor, 3)
            after = (moment, transaction, fund)
        async with self._database.transaction([organization]) as connection:
            return await store.items(connection, organization, identifier, after, most)

    async def settings(self, organization: str) -> dict[str, Any]:
        """What the organization wants, and where Amply's own payouts stand."""
        async with self._database.transaction([organization], is_snapshot=True) as connection:
            known = await store.settings(connection, organization)
            standing = await store.standing(connection, organization)
        return pages.settings(known, standing)

    async def change_settings(
        self, organization: str, change: PayoutSettingsChange
    ) -> dict[str, Any]:
        """Change what the organization wants; ProblemError 422 when days and interval disagree."""
        async with self._database.transaction([organization]) as connection:
            await store.lock_settings(connection, organization)
            known = await store.settings(connection, organization)
            wanted = pages.changed(dict(known) if known else pages.DEFAULTS, change)
            await store.set_settings(connection, organization, wanted)
            before = dict(known) if known else None
            await audit.write(
                connection, organization, organization=organization, before=before, after=wanted
            )
        return await self.settings(organization)


def _after(row: Record) -> str:
    occurred_at = row["occurred_at"].isoformat()
    return cursor_of(occurred_at, row["balance_transaction"], row["fund"])
