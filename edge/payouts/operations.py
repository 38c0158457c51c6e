"""What the API offers of payouts."""

from typing import Any, Final

from edge.operation import SLUG, WITH_KEY, Operation, parameter
from edge.payouts.models import (
    Payout,
    PayoutItemPage,
    PayoutPage,
    PayoutSettings,
    PayoutSettingsChange,
)
from edge.payouts.service import READ, WRITE

_LIST: Final = "/v1/organizations/{slug}/payouts"
_ONE: Final = f"{_LIST}/{{payout}}"
_SETTINGS: Final = "/v1/organizations/{slug}/payout-settings"
_PAYOUT: Final = parameter("payout", "path", "Stripe's `po_…` id.", {"type": "string"})
_PAGE: Final = (
    parameter("cursor", "query", "next_cursor of the page before.", {"type": "string"}),
    parameter(
        "limit",
        "query",
        "Rows on a page.",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    ),
)
_PROBLEMS: Final = (
    "organization_not_found",
    "permission_denied",
    "query_not_accepted",
    "permissions_unavailable",
    *WITH_KEY,
)
_GET: Final[dict[str, Any]] = {"method": "get", "status": 200, "scope": READ}

PAYOUTS: Final = (
    Operation(
        path=_LIST,
        identifier="listPayouts",
        summary="Payouts to the bank, newest first.",
        answer=PayoutPage,
        parameters=(SLUG, *_PAGE),
        headers=("ETag",),
        problems=_PROBLEMS,
        **_GET,
    ),
    Operation(
        path=_ONE,
        identifier="showPayout",
        summary="One deposit, and the gifts, fees, refunds and disputes that add up to it.",
        answer=Payout,
        parameters=(SLUG, _PAYOUT),
        headers=("ETag",),
        problems=("payout_not_found", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=f"{_ONE}/items",
        identifier="listPayoutItems",
        summary="The movements that a payout carries, oldest first.",
        answer=PayoutItemPage,
        parameters=(SLUG, _PAYOUT, *_PAGE),
        headers=("ETag",),
        problems=("payout_not_found", "payout_not_split", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=f"{_ONE}/items.csv",
        identifier="exportPayoutItems",
        summary="The same as CSV, in decimal amounts: the column `net` adds up to the deposit.",
        answer="text/csv",
        parameters=(SLUG, _PAYOUT),
        headers=("Content-Disposition",),
        problems=("payout_not_found", "payout_not_split", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=_SETTINGS,
        identifier="showPayoutSettings",
        summary="Who pays the organization out, when, and why not at the moment.",
        answer=PayoutSettings,
        parameters=(SLUG,),
        headers=("ETag",),
        problems=_PROBLEMS,
        **_GET,
    ),
    Operation(
        method="patch",
        path=_SETTINGS,
        identifier="changePayoutSettings",
        summary="Change some of the settings; what is left out stays.",
        status=200,
        answer=PayoutSettings,
        body=PayoutSettingsChange,
        scope=WRITE,
        parameters=(SLUG,),
        problems=(
            "malformed_json",
            "invalid_body",
            "body_too_large",
            "unsupported_media_type",
            "request_timeout",
            *_PROBLEMS,
        ),
    ),
)
