"""What the API offers of funds."""

from typing import Any, Final

from edge.access import Access
from edge.funds.models import Fund, FundChange, FundCreation, FundList
from edge.operation import ORGANIZATION, Operation, parameter
from edge.resources import patch_of

IDEMPOTENCY_KEY: Final = parameter(
    "Idempotency-Key",
    "header",
    "Fresh for each new thing, the same for each repetition of it; it never expires.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    required=True,
)
IF_MATCH: Final = parameter(
    "If-Match", "header", "The ETag of what is changed, or `*`.", {"type": "string"}, required=True
)
IF_NONE_MATCH: Final = parameter(
    "If-None-Match", "header", "An ETag: 304 when nothing changed.", {"type": "string"}
)
PAGE: Final = (
    parameter("cursor", "query", "next_cursor of the page before.", {"type": "string"}),
    parameter(
        "limit",
        "query",
        "Rows on a page.",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    ),
)
#: What can be wrong with any body.
OF_BODIES: Final = (
    *("malformed_json", "request_timeout", "body_too_large", "unsupported_media_type"),
    *("invalid_body", "query_not_accepted"),
)
OF_COMMANDS: Final = (
    *("idempotency_key_missing", "idempotency_key_malformed", "idempotency_key_reused"),
    *OF_BODIES,
)
OF_CHANGES: Final = ("precondition_required", "precondition_failed", *OF_BODIES)


def choice(name: str, description: str, *values: str) -> dict[str, Any]:
    """A filter of a list."""
    schema: dict[str, Any] = {"type": "string"}
    if values:
        schema["enum"] = list(values)
    return parameter(name, "query", description, schema)


_LIST: Final = "/v1/organizations/{organization}/funds"
_ONE: Final = f"{_LIST}/{{fund}}"
_FUND: Final = parameter("fund", "path", "The fund's `fund_…` id.", {"type": "string"})
_READ: Final = Access(scope="funds:read", permission="view_funds")
_WRITE: Final = Access(scope="funds:write", permission="manage_funds", is_fresh=True)
FundPatch: Final = patch_of(FundChange)

FUNDS: Final = (
    Operation(
        method="get",
        path=_LIST,
        identifier="listFunds",
        summary="The organization's funds, oldest first.",
        status=200,
        answer=FundList,
        access=_READ,
        parameters=(
            *(ORGANIZATION, *PAGE),
            choice("currency", "Of one currency."),
            choice("kind", "Of one kind.", "general", "project", "restricted", "emergency"),
            choice("status", "In one state.", "active", "closed"),
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="post",
        path=_LIST,
        identifier="createFund",
        summary="Open a fund, in one currency for good.",
        status=201,
        answer=Fund,
        body=FundCreation,
        access=_WRITE,
        parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
        headers=("Location", "ETag", "Idempotent-Replayed"),
        problems=OF_COMMANDS,
    ),
    Operation(
        method="get",
        path=_ONE,
        identifier="showFund",
        summary="One fund.",
        status=200,
        answer=Fund,
        access=_READ,
        parameters=(ORGANIZATION, _FUND, IF_NONE_MATCH),
        headers=("ETag",),
        problems=("fund_not_found", "query_not_accepted"),
    ),
    Operation(
        method="patch",
        path=_ONE,
        identifier="changeFund",
        summary="Change a fund, or close it once it holds nothing. None is ever deleted.",
        status=200,
        answer=Fund,
        body=FundPatch,
        access=_WRITE,
        parameters=(ORGANIZATION, _FUND, IF_MATCH),
        headers=("ETag",),
        problems=(
            *("fund_not_found", "fund_is_default", "fund_not_empty", "fund_closed"),
            *OF_CHANGES,
        ),
    ),
)
