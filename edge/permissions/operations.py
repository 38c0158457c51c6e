"""What the API offers of permissions."""

from typing import Final

from edge.access import Access
from edge.operation import ORGANIZATION, Operation, choice, parameter
from edge.permissions.decisions import PERMISSIONS
from edge.permissions.models import HolderPage, OwnAccessPage

SCOPE: Final = "access:read"
_PERMISSION: Final = {"type": "string", "enum": list(PERMISSIONS)}
_CURSOR: Final = choice("cursor", "next_cursor of the page before.")


def _limit(most: int, default: int) -> dict[str, object]:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return parameter("limit", "query", "Rows on a page.", schema)


OWN_LIMITS: Final = (50, 20)
HOLDER_LIMITS: Final = (100, 50)

PERMISSION_QUERIES: Final = (
    Operation(
        method="get",
        path="/v1/organizations/{organization}/access",
        identifier="listAccess",
        summary="Who has a permission on the organization: people, keys, collectors, everybody.",
        status=200,
        answer=HolderPage,
        access=Access(scope=SCOPE, permission="view_access"),
        parameters=(
            ORGANIZATION,
            parameter("permission", "query", "Which permission.", _PERMISSION, required=True),
            _CURSOR,
            _limit(*HOLDER_LIMITS),
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path="/v1/me/access",
        identifier="listOwnAccess",
        summary="Where the caller may do what; with `permission`, where they may do that.",
        status=200,
        answer=OwnAccessPage,
        access=Access(scope=SCOPE, on="caller"),
        parameters=(
            parameter("permission", "query", "Only where this is permitted.", _PERMISSION),
            _CURSOR,
            _limit(*OWN_LIMITS),
        ),
        problems=("query_not_accepted", "permissions_unavailable"),
    ),
)
