"""What the API offers staff of requests to forget donors."""

from typing import Any, Final

from edge.access import Access
from edge.operation import OF_BODY, PAGE, Operation, choice, parameter
from edge.organizations.models import Nothing
from edge.rights.models import ErasureRefusal, StaffErasure, StaffErasurePage, StaffErasureRequest

_ALL: Final = "/v1/staff/erasures"
_DECIDE: Final[dict[str, Any]] = {
    "method": "post",
    "status": 200,
    "answer": StaffErasure,
    "access": Access(
        scope="staff",
        permission="handle_erasures",
        on="platform",
        is_fresh=True,
        needs_step_up=True,
    ),
    "parameters": (parameter("erasure", "path", "Its `era_…` id.", {"type": "string"}),),
    "problems": ("erasure_not_found", "erasure_decided", "query_not_accepted", *OF_BODY),
}

ERASURES: Final = (
    Operation(
        method="get",
        path=_ALL,
        identifier="listErasures",
        summary="Requests to forget donors, of all organizations, oldest first.",
        status=200,
        answer=StaffErasurePage,
        access=Access(scope="staff", permission="handle_erasures", on="platform", is_fresh=True),
        parameters=(
            choice("status", "Of this status.", "waiting", "requested", "refused", "done"),
            *PAGE,
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="post",
        path=_ALL,
        identifier="requestErasure",
        summary="Note that a donor asked to be forgotten; it waits for a decision.",
        status=202,
        answer=StaffErasure,
        body=StaffErasureRequest,
        access=Access(scope="staff", permission="request_erasures", on="platform", is_fresh=True),
        problems=("organization_not_found", "donor_not_found", "query_not_accepted", *OF_BODY),
    ),
    Operation(
        path=f"{_ALL}/{{erasure}}/approve",
        identifier="approveErasure",
        summary="Have it carried out, within seconds. It cannot be undone.",
        body=Nothing,
        **_DECIDE,
    ),
    Operation(
        path=f"{_ALL}/{{erasure}}/refuse",
        identifier="refuseErasure",
        summary="Do not carry it out, for a reason given as a code.",
        body=ErasureRefusal,
        **_DECIDE,
    ),
)
