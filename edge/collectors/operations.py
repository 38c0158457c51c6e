"""What the API offers of collectors, to those who manage them and to organizations."""

from typing import Any, Final

from edge.access import Access
from edge.collectors.models import (
    Collection,
    CollectionPage,
    Collector,
    CollectorPage,
    CollectorProfile,
    CollectorProfilePatch,
)
from edge.operation import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OF_CHANGE,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    choice,
    parameter,
)

_ALL: Final = "/v1/collectors"
_ONE: Final = f"{_ALL}/{{collector}}"
_ALLOWED: Final = "/v1/organizations/{organization}/collectors"
_COLLECTOR: Final = parameter("collector", "path", "Its `col_…` id.", {"type": "string"})
_STATUS: Final = choice("status", "Of this status.", "allowed", "revoked")
_READ: Final = Access(scope="collectors:read", on="caller", is_for_persons=True)
_WRITE: Final = Access(scope="collectors:write", on="caller", is_for_persons=True)
_ALLOW: Final = Access(
    scope="collectors:write",
    permission="manage_collectors",
    is_fresh=True,
    needs_step_up=True,
    is_for_persons=True,
)
_GONE: Final = ("collector_not_found", "permissions_unavailable", "query_not_accepted")
_ANSWER: Final[dict[str, Any]] = {"status": 200, "answer": Collector, "headers": ("ETag",)}

COLLECTORS: Final = (
    Operation(
        method="post",
        path=_ALL,
        identifier="createCollector",
        summary="Register a shop, a point of sale or a fundraiser, to be managed by the caller.",
        status=201,
        answer=Collector,
        body=CollectorProfile,
        access=_WRITE,
        parameters=(IDEMPOTENCY_KEY,),
        headers=("ETag", "Location", "Idempotent-Replayed"),
        problems=("too_many_collectors", *OF_COMMAND),
    ),
    Operation(
        method="get",
        path=_ALL,
        identifier="listCollectors",
        summary="Those that the caller manages, newest first.",
        status=200,
        answer=CollectorPage,
        access=_READ,
        parameters=PAGE,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path=_ONE,
        identifier="showCollector",
        summary="A collector.",
        access=_READ,
        parameters=(_COLLECTOR, IF_NONE_MATCH),
        problems=_GONE,
        **_ANSWER,
    ),
    Operation(
        method="patch",
        path=_ONE,
        identifier="changeCollector",
        summary="Change who it is.",
        body=CollectorProfilePatch,
        access=_WRITE,
        parameters=(_COLLECTOR, IF_MATCH),
        problems=(*_GONE, *OF_CHANGE),
        **_ANSWER,
    ),
    Operation(
        method="delete",
        path=_ONE,
        identifier="closeCollector",
        summary="Let it and its keys collect no more.",
        status=204,
        answer=(),
        access=_WRITE,
        parameters=(_COLLECTOR,),
        problems=(*_GONE, "precondition_failed"),
    ),
    Operation(
        method="get",
        path=f"{_ONE}/organizations",
        identifier="listCollections",
        summary="The organizations that allow it, or have revoked that; oldest first.",
        status=200,
        answer=CollectionPage,
        access=_READ,
        parameters=(_COLLECTOR, _STATUS, *PAGE),
        problems=_GONE,
    ),
    Operation(
        method="get",
        path=_ALLOWED,
        identifier="listAllowedCollectors",
        summary="The collectors that the organization allows, or has revoked; oldest first.",
        status=200,
        answer=CollectionPage,
        access=Access(scope="collectors:read", permission="manage_collectors", is_for_persons=True),
        parameters=(ORGANIZATION, _STATUS, *PAGE),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="put",
        path=f"{_ALLOWED}/{{collector}}",
        identifier="allowCollector",
        summary="Let a collector take gifts for the organization.",
        status=200,
        answer=Collection,
        access=_ALLOW,
        parameters=(ORGANIZATION, _COLLECTOR),
        problems=("collector_not_found", "organization_state", "query_not_accepted"),
    ),
    Operation(
        method="delete",
        path=f"{_ALLOWED}/{{collector}}",
        identifier="revokeCollector",
        summary="Let it take no more gifts for the organization, at once.",
        status=204,
        answer=(),
        access=_ALLOW,
        parameters=(ORGANIZATION, _COLLECTOR),
        problems=("collector_not_found", "organization_state", "query_not_accepted"),
    ),
)
