"""What the API offers of gifts."""

from typing import Final

from edge.access import Access
from edge.donations.models import AttemptRequest, CancelRequest, Donation, DonationRequest
from edge.operation import IF_NONE_MATCH, WITH_KEY, Operation, parameter

_DONATION: Final = parameter(
    "donation", "path", "The id that the 202 answer gave.", {"type": "string"}
)
_PREFER: Final = parameter(
    "Prefer", "header", "`wait=N`: answer when settled, at most N (30) seconds.", {"type": "string"}
)
_IDEMPOTENCY_KEY: Final = parameter(
    "Idempotency-Key",
    "header",
    "Fresh for each gift or step, the same for each repetition of it; it never expires.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    required=True,
)

_OF_STEPS: Final = (
    "idempotency_key_missing",
    "idempotency_key_malformed",
    "malformed_json",
    "donation_not_found",
    "donation_paid",
    "donation_closed",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "invalid_body",
    "query_not_accepted",
    "idempotency_key_reused",
    "backlog",
    *WITH_KEY,
)

#: What only whoever gives is told.
_LIMITED: Final = ("address_denied", "too_many_requests")

DONATIONS: Final = (
    Operation(
        method="post",
        path="/v1/donations",
        identifier="createDonation",
        summary="Make a gift. 202 once it is durable; the payment follows.",
        status=202,
        answer=Donation,
        body=DonationRequest,
        access=Access(scope="donations:write", on="service", is_publishable=True),
        parameters=(_IDEMPOTENCY_KEY,),
        headers=("Location", "Idempotent-Replayed"),
        problems=(
            "idempotency_key_missing",
            "idempotency_key_malformed",
            "malformed_json",
            "permission_denied",
            "request_timeout",
            "request_in_progress",
            "donations_not_accepted",
            "account_unavailable",
            "body_too_large",
            "unsupported_media_type",
            "invalid_body",
            "query_not_accepted",
            "organization_unknown",
            "fund_unknown",
            "campaign_not_active",
            "currency_not_accepted",
            "currency_not_supported",
            "amount_not_chargeable",
            "idempotency_key_reused",
            "permissions_unavailable",
            "backlog",
            *_LIMITED,
            *WITH_KEY,
        ),
    ),
    Operation(
        method="get",
        path="/v1/donations/{donation}",
        identifier="showDonation",
        summary="What became of a gift.",
        status=200,
        answer=Donation,
        access=Access(
            scope="donations:read", permission="view_donations", on="own", is_publishable=True
        ),
        parameters=(_DONATION, _PREFER, IF_NONE_MATCH),
        headers=("ETag", "Preference-Applied"),
        problems=("donation_not_found", "query_not_accepted", *WITH_KEY),
    ),
    Operation(
        method="post",
        path="/v1/donations/{donation}/attempts",
        identifier="attemptDonation",
        summary="Try again to collect a gift that is not paid. It can be paid once only.",
        status=202,
        answer=Donation,
        body=AttemptRequest,
        access=Access(
            scope="donations:write",
            permission="collect_donation",
            on="own",
            is_fresh=True,
            is_publishable=True,
        ),
        parameters=(_DONATION, _IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=("donation_pending", *_LIMITED, *_OF_STEPS),
    ),
    Operation(
        method="post",
        path="/v1/donations/{donation}/cancel",
        identifier="cancelDonation",
        summary="Let a gift that is not paid never be paid. Stripe's answer decides.",
        status=202,
        answer=Donation,
        body=CancelRequest,
        access=Access(
            scope="donations:write", permission="collect_donation", on="own", is_fresh=True
        ),
        parameters=(_DONATION, _IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=_OF_STEPS,
    ),
    Operation(
        method="get",
        path="/v1/donations/{donation}/receipt",
        identifier="showReceipt",
        summary="The proof that a gift is in the ledger (C2SP tlog-proof).",
        status=200,
        answer="text/plain",
        access=Access(scope="donations:read", permission="view_donations", on="own"),
        parameters=(
            _DONATION,
            _PREFER,
            parameter(
                "openings",
                "query",
                "`none` leaves out what the public may not see.",
                {"type": "string", "enum": ["all", "none"], "default": "all"},
            ),
        ),
        headers=("Content-Disposition", "Preference-Applied"),
        problems=(
            "donation_not_found",
            "not_yet_covered",
            "no_receipt",
            "query_not_accepted",
            "permissions_unavailable",
            *WITH_KEY,
        ),
    ),
)
