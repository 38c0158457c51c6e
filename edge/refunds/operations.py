"""The operations of refunds."""

from typing import Final

from edge.access import Access
from edge.operation import WITH_KEY, Operation, parameter
from edge.refunds.models import Refund, RefundList, RefundRequest

_DONATION: Final = parameter(
    "donation", "path", "The id that the 202 answer gave.", {"type": "string"}
)
_IF_NONE_MATCH: Final = parameter(
    "If-None-Match", "header", "An ETag: 304 when nothing changed.", {"type": "string"}
)

REFUNDS: Final = (
    Operation(
        method="post",
        path="/v1/donations/{donation}/refunds",
        identifier="createRefund",
        summary="Give a gift back, or a part of it. 202 once it is durable; the refund follows.",
        status=202,
        answer=Refund,
        body=RefundRequest,
        access=Access(scope="refunds:write", on="service", needs_step_up=True),
        parameters=(
            _DONATION,
            parameter(
                "Idempotency-Key",
                "header",
                "Fresh for each refund, the same for each repetition of it; it never expires.",
                {"type": "string", "minLength": 1, "maxLength": 255},
                required=True,
            ),
        ),
        headers=("Location", "Idempotent-Replayed"),
        problems=(
            "idempotency_key_missing",
            "idempotency_key_malformed",
            "malformed_json",
            "permission_denied",
            "donation_not_found",
            "request_timeout",
            "gift_not_paid",
            "dispute_open",
            "exceeds_refundable",
            "body_too_large",
            "unsupported_media_type",
            "invalid_body",
            "query_not_accepted",
            "idempotency_key_reused",
            "permissions_unavailable",
            "backlog",
            *WITH_KEY,
        ),
    ),
    Operation(
        method="get",
        path="/v1/donations/{donation}/refunds",
        identifier="listRefunds",
        summary="The refunds of a gift, those made in Stripe's dashboard too.",
        status=200,
        answer=RefundList,
        access=Access(scope="donations:read", permission="view_donations", on="own"),
        parameters=(_DONATION, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("donation_not_found", "query_not_accepted", *WITH_KEY),
    ),
    Operation(
        method="get",
        path="/v1/refunds/{refund}",
        identifier="showRefund",
        summary="What became of a refund.",
        status=200,
        answer=Refund,
        access=Access(scope="donations:read", permission="view_donations", on="own"),
        parameters=(
            parameter("refund", "path", "The id that the 202 answer gave.", {"type": "string"}),
            parameter(
                "Prefer",
                "header",
                "`wait=N`: answer when settled, at most N (30) seconds.",
                {"type": "string"},
            ),
            _IF_NONE_MATCH,
        ),
        headers=("ETag", "Preference-Applied"),
        problems=("refund_not_found", "query_not_accepted", *WITH_KEY),
    ),
)
