"""The operations of the daily report: as JSON and as CSV."""

from typing import Any, Final

from edge.access import Access
from edge.operation import ORGANIZATION, WITH_KEY, Operation, parameter
from edge.reconciliation.models import Reconciliation
from edge.reconciliation.service import SCOPE

_PATH: Final = "/v1/organizations/{organization}/reconciliation"


def _day(name: str, description: str) -> dict[str, Any]:
    return parameter(name, "query", description, {"type": "string", "format": "date"})


_SHARED: Final[dict[str, Any]] = {
    "method": "get",
    "status": 200,
    "access": Access(scope=SCOPE, permission="export_ledger"),
    "parameters": (
        ORGANIZATION,
        _day("from", "The first day, UTC; 30 days before the last one if left out."),
        _day("to", "The last day, UTC; the newest on which money moved if left out."),
    ),
    "problems": (
        "organization_not_found",
        "permission_denied",
        "query_not_accepted",
        "permissions_unavailable",
        *WITH_KEY,
    ),
}

RECONCILIATION: Final = (
    Operation(
        path=_PATH,
        identifier="showReconciliation",
        summary="What Stripe says and what the ledger says, day by day, and what differs.",
        answer=Reconciliation,
        headers=("ETag",),
        **_SHARED,
    ),
    Operation(
        path=f"{_PATH}.csv",
        identifier="exportReconciliation",
        summary="The same days as CSV, in decimal amounts.",
        answer="text/csv",
        headers=("Content-Disposition", "ETag"),
        **_SHARED,
    ),
)
