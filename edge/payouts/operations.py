"""What the API offers of payouts."""

from typing import Any, Final

from edge.access import Access
from edge.operation import ORGANIZATION, PAGE, WITH_KEY, Operation, parameter
from edge.payouts.models import (
    Payout,
    PayoutItemPage,
    PayoutPage,
    PayoutSettings,
    PayoutSettingsChange,
)
from edge.payouts.service import READ, WRITE

_LIST: Final = "/v1/organizations/{organization}/payouts"
_ONE: Final = f"{_LIST}/{{payout}}"
_SETTINGS: Final = "/v1/organizations/{organization}/payout-settings"
_PAYOUT: Final = parameter("payout", "path", "Stripe's `po_…` id.", {"type": "string"})
_PROBLEMS: Final = (
    "organization_not_found",
    "permission_denied",
    "query_not_accepted",
    "permissions_unavailable",
    *WITH_KEY,
)
_GET: Final[dict[str, Any]] = {
    "method": "get",
    "status": 200,
    "access": Access(scope=READ, permission="view_payouts"),
}

PAYOUTS: Final = (
    Operation(
        path=_LIST,
        identifier="listPayouts",
        summary="Payouts to the bank, newest first.",
        answer=PayoutPage,
        parameters=(ORGANIZATION, *PAGE),
        headers=("ETag",),
        problems=_PROBLEMS,
        **_GET,
    ),
    Operation(
        path=_ONE,
        identifier="showPayout",
        summary="One deposit, and the gifts, fees, refunds and disputes that add up to it.",
        answer=Payout,
        parameters=(ORGANIZATION, _PAYOUT),
        headers=("ETag",),
        problems=("payout_not_found", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=f"{_ONE}/items",
        identifier="listPayoutItems",
        summary="The movements that a payout carries, oldest first.",
        answer=PayoutItemPage,
        parameters=(ORGANIZATION, _PAYOUT, *PAGE),
        headers=("ETag",),
        problems=("payout_not_found", "payout_not_split", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=f"{_ONE}/items.csv",
        identifier="exportPayoutItems",
        summary="The same as CSV, in decimal amounts: the column `net` adds up to the deposit.",
        answer="text/csv",
        parameters=(ORGANIZATION, _PAYOUT),
        headers=("Content-Disposition",),
        problems=("payout_not_found", "payout_not_split", *_PROBLEMS),
        **_GET,
    ),
    Operation(
        path=_SETTINGS,
        identifier="showPayoutSettings",
        summary="Who pays the organization out, when, and why not at the moment.",
        answer=PayoutSettings,
        parameters=(ORGANIZATION,),
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
        access=Access(scope=WRITE, permission="manage_payouts", is_fresh=True, needs_step_up=True),
        parameters=(ORGANIZATION,),
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
