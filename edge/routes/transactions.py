"""`/v1/organizations/{organization}/transactions`, of all funds or of one."""

import re
from collections.abc import Collection
from typing import Final

from aiohttp import web

from edge import resources
from edge.caller import ORGANIZATION
from edge.errors import ProblemError
from edge.http import json_response, refuse_query
from edge.listing import Page, read_page
from edge.routes.funds import fund_in
from edge.texts import moment_of
from edge.transactions.service import Transactions
from ledger.transactions import TYPES

_SUFFIX: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_TRANSACTION: Final = re.compile(f"txn_{_SUFFIX}")
_MOMENT: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|\+[0-9]{2}:[0-9]{2})")
_FILTERS: Final[dict[str, Collection[str] | re.Pattern[str]]] = {
    "type": TYPES,
    "project": re.compile(f"proj_{_SUFFIX}"),
    "campaign": re.compile(f"camp_{_SUFFIX}"),
    "from": _MOMENT,
    "before": _MOMENT,
}
_OF_ALL: Final = {**_FILTERS, "fund": re.compile(f"fund_{_SUFFIX}")}


class TransactionRoutes:
    """Handlers, behind the gate."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def list(self, request: web.Request) -> web.Response:
        """A page of transactions."""
        page = await self._transactions.page(request[ORGANIZATION].id, _page(request, _OF_ALL))
        return json_response(page, headers=resources.OWN)

    async def of_fund(self, request: web.Request) -> web.Response:
        """A page of a fund's transactions."""
        fund, page = fund_in(request), _page(request, _FILTERS)
        value = await self._transactions.page(request[ORGANIZATION].id, page, fund)
        return json_response(value, headers=resources.OWN)

    async def show(self, request: web.Request) -> web.Response:
        """One transaction."""
        refuse_query(request)
        identifier = request.match_info["transaction"]
        if not _TRANSACTION.fullmatch(identifier):
            raise ProblemError("transaction_not_found")
        value = await self._transactions.show(request[ORGANIZATION].id, identifier)
        return json_response(value, headers=resources.OWN)


def _page(request: web.Request, filters: dict[str, Collection[str] | re.Pattern[str]]) -> Page:
    page = read_page(request, filters)
    for name in ("from", "before"):
        try:
            moment_of(page.filters.get(name))
        except ValueError as error:
            raise ProblemError(
                "query_not_accepted", f"`{name}` is no time that exists.", param=name
            ) from error
    return page
