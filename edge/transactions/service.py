"""Transactions of an organization, all of them or a fund's."""

from collections.abc import Mapping
from typing import Any

from edge.database.pool import Database
from edge.errors import ProblemError
from edge.funds import store as funds
from edge.listing import Page
from edge.times import spell_time
from edge.transactions import store


class Transactions:
    """Reads what `books` made of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, organization: str, page: Page, fund: str | None = None) -> dict[str, Any]:
        """A page of transactions, newest first; ProblemError 404 for a fund that is none."""
        async with self._database.transaction([organization]) as connection:
            if fund is not None and await funds.fund(connection, organization, fund) is None:
                raise ProblemError("fund_not_found")
            rows = await store.transactions(
                connection, organization, page.after_or_nulls, fund, page.filters, page.rows_max
            )
        return page.of(rows, resource, "recorded_at")

    async def show(self, organization: str, identifier: str) -> dict[str, Any]:
        """One transaction; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            row = await store.transaction(connection, organization, identifier)
        if row is None:
            raise ProblemError("transaction_not_found")
        return resource(row)


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The transaction that a row makes."""
    copied = ("id", "organization", "fund", "type", "amount_minor", "currency", "ref", "campaign")
    taken_back = row["taken_back_minor"]
    is_refunded = bool(taken_back) and row["amount_minor"] + taken_back <= 0
    return {
        **{name: row[name] for name in copied},
        "object": "transaction",
        "status": "refunded" if is_refunded else "completed",
        "entry": row["entry_id"],
        "project": row["project"],
        "booking": row["booking"],
        "occurred_at": row["occurred"],
        "recorded_at": spell_time(row["recorded_at"]),
    }
