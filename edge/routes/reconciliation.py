"""`/v1/organizations/{organization}/reconciliation` and its CSV: for members."""

from datetime import date
from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION
from edge.errors import ProblemError
from edge.http import json_response, refuse_query, tagged
from edge.reconciliation import report
from edge.reconciliation.report import Found
from edge.reconciliation.service import Reconciliations

_OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class ReconciliationRoutes:
    """Handlers for members."""

    def __init__(self, reconciliations: Reconciliations) -> None:
        self._reconciliations = reconciliations

    async def show(self, request: web.Request) -> web.Response:
        """The report."""
        organization, first, last, found = await self._find(request)
        value = report.report(organization, first, last, found)
        return tagged(request, json_response(value, headers=_OWN))

    async def csv(self, request: web.Request) -> web.Response:
        """The report's days, for spreadsheets."""
        _, first, last, found = await self._find(request)
        name = f"reconciliation-{request[ORGANIZATION].slug}-{first}-{last}.csv"
        response = web.Response(
            body=report.csv(found).encode(),
            content_type="text/csv",
            charset="utf-8",
            headers={**_OWN, "Content-Disposition": f'attachment; filename="{name}"'},
        )
        return tagged(request, response)

    async def _find(self, request: web.Request) -> tuple[str, date, date, Found]:
        refuse_query(request, "from", "to")
        first, last = _day(request, "from"), _day(request, "to")
        organization = request[ORGANIZATION]
        return organization.id, *await self._reconciliations.find(organization, first, last)


def _day(request: web.Request, name: str) -> date | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise ProblemError(
            "query_not_accepted", f"`{name}` is a day such as 2026-05-01.", param=name
        )
    return day
