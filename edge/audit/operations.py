"""What the API offers of the audit log."""

from typing import Any, Final

from edge.access import Access
from edge.audit.models import AuditPage
from edge.operation import ORGANIZATION, PAGE, Operation, parameter

SCOPE: Final = "audit:read"
_LIST: Final = "/v1/organizations/{organization}/audit-log"
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_TIME: Final = {"type": "string", "format": "date-time"}
_COMMON: Final[dict[str, Any]] = {
    "method": "get",
    "status": 200,
    "access": Access(scope=SCOPE, permission="view_audit_log", is_fresh=True),
    "problems": ("query_not_accepted",),
    "reads_personal_data": True,
}

AUDIT: Final = (
    Operation(
        path=_LIST,
        identifier="listAuditLog",
        summary="Who did what, was refused, or read what of whom, newest first.",
        answer=AuditPage,
        parameters=(
            ORGANIZATION,
            *PAGE,
            parameter("actor", "query", "Only by this key or person.", _TEXT),
            parameter("action", "query", "Only this operation, by its identifier.", _TEXT),
            parameter("resource", "query", "Only about this id.", _TEXT),
            parameter("from", "query", "Recorded at this time or later.", _TIME),
            parameter("to", "query", "Recorded before this time.", _TIME),
        ),
        headers=("ETag",),
        **_COMMON,
    ),
    Operation(
        path=f"{_LIST}/export",
        identifier="exportAuditLog",
        summary="All of it as JSONL that `amply audit check --file` verifies by itself.",
        answer="application/jsonl",
        parameters=(ORGANIZATION,),
        headers=("Content-Disposition",),
        **_COMMON,
    ),
)
