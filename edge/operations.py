"""What the API offers: one table of operations, from which the OpenAPI document is made."""

from typing import Any, Final

from edge.access import PUBLIC, Access
from edge.accounts.operations import ACCOUNTS
from edge.audit.operations import AUDIT
from edge.bookings.operations import BOOKINGS
from edge.campaigns.operations import CAMPAIGNS
from edge.census.models import CensusProof
from edge.donations.models import AttemptRequest, CancelRequest, Donation, DonationRequest
from edge.donors.operations import DONORS
from edge.events.operations import EVENTS
from edge.exports.operations import EXPORTS
from edge.funds.operations import FUNDS
from edge.ledger.operations import LEDGER
from edge.operation import ALWAYS as _ALWAYS
from edge.operation import SLUG as _SLUG
from edge.operation import WITH_KEY as _WITH_KEY
from edge.operation import Operation
from edge.operation import parameter as _parameter
from edge.payouts.operations import PAYOUTS
from edge.permissions.operations import PERMISSION_QUERIES
from edge.projects.operations import PROJECTS
from edge.proofs.models import ConsistencyProof, InclusionProof
from edge.public.models import PublicOrganization
from edge.reconciliation.operations import RECONCILIATION
from edge.refunds.operations import REFUNDS
from edge.rights.operations import RIGHTS
from edge.sessions.operations import SESSIONS
from edge.transactions.operations import TRANSACTIONS


def _tree_size(
    name: str, least: int, description: str = "Up to that of the newest checkpoint."
) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": (1 << 53) - 1}
    return _parameter(name, "query", description, schema, required=True)


_DONATION: Final = _parameter(
    "donation", "path", "The id that the 202 answer gave.", {"type": "string"}
)
_LOG: Final = _parameter("log", "path", "The log's number.", {"type": "integer"})
_PREFER: Final = _parameter(
    "Prefer", "header", "`wait=N`: answer when settled, at most N (30) seconds.", {"type": "string"}
)
_IF_NONE_MATCH: Final = _parameter(
    "If-None-Match", "header", "An ETag: 304 when nothing changed.", {"type": "string"}
)
_IDEMPOTENCY_KEY: Final = _parameter(
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
    *_WITH_KEY,
)

#: What only whoever gives is told.
_LIMITED: Final = ("address_denied", "too_many_requests")

OPERATIONS: Final = (
    Operation(
        method="post",
        path="/v1/donations",
        identifier="createDonation",
        summary="Make a gift. 202 once it is durable; the payment follows.",
        status=202,
        answer=Donation,
        body=DonationRequest,
        access=Access(scope="donations:write", on="service"),
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
            *_WITH_KEY,
        ),
    ),
    Operation(
        method="get",
        path="/v1/donations/{donation}",
        identifier="showDonation",
        summary="What became of a gift.",
        status=200,
        answer=Donation,
        access=Access(scope="donations:read", permission="view_donations", on="own"),
        parameters=(_DONATION, _PREFER, _IF_NONE_MATCH),
        headers=("ETag", "Preference-Applied"),
        problems=("donation_not_found", "query_not_accepted", *_WITH_KEY),
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
            scope="donations:write", permission="collect_donation", on="own", is_fresh=True
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
            _parameter(
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
            *_WITH_KEY,
        ),
    ),
    Operation(
        method="get",
        path="/v1/public/organizations/{slug}",
        identifier="showPublicOrganization",
        summary="An organization's figures.",
        status=200,
        access=PUBLIC,
        answer=PublicOrganization,
        parameters=(_SLUG, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "query_not_accepted", *_ALWAYS),
    ),
    *REFUNDS,
    *ACCOUNTS,
    *LEDGER,
    *EXPORTS,
    *PAYOUTS,
    *PERMISSION_QUERIES,
    *EVENTS,
    *FUNDS,
    *PROJECTS,
    *CAMPAIGNS,
    *BOOKINGS,
    *TRANSACTIONS,
    *DONORS,
    *RECONCILIATION,
    *SESSIONS,
    *AUDIT,
    *RIGHTS,
    Operation(
        method="get",
        path="/v1/public/organizations/{slug}/ledger/census",
        identifier="proveMembership",
        summary="The proof that the newest census counts the organization's chain.",
        status=200,
        access=PUBLIC,
        answer=CensusProof,
        parameters=(_SLUG, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "not_counted", "query_not_accepted", *_ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/public/log/{log}/proof/inclusion",
        identifier="proveInclusion",
        summary="The proof that an entry is in the tree of a size (RFC 6962).",
        status=200,
        access=PUBLIC,
        answer=InclusionProof,
        parameters=(_LOG, _tree_size("index", 0, "Of the entry."), _tree_size("size", 1)),
        problems=("not_found", "size_not_published", "query_not_accepted", *_ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/public/log/{log}/proof/consistency",
        identifier="proveConsistency",
        summary="The proof that the tree of one size is a prefix of another's (RFC 6962).",
        status=200,
        access=PUBLIC,
        answer=ConsistencyProof,
        parameters=(_LOG, _tree_size("old", 0), _tree_size("new", 1)),
        problems=("not_found", "size_not_published", "query_not_accepted", *_ALWAYS),
    ),
    Operation(
        method="get",
        path="/log/{log}/{path}",
        identifier="showLogFile",
        summary="The log's static files (C2SP tlog-tiles): checkpoint, vkey, tile/...",
        status=200,
        access=PUBLIC,
        answer="application/octet-stream",
        parameters=(
            _LOG,
            _parameter("path", "path", "A path of tlog-tiles.", {"type": "string"}),
        ),
        problems=("not_found", "query_not_accepted", *_ALWAYS),
    ),
    *(
        Operation(
            method="post",
            path=path,
            identifier=identifier,
            summary=summary,
            status=200,
            access=PUBLIC,
            answer="application/json",
            parameters=(
                _parameter(
                    "Stripe-Signature",
                    "header",
                    "As Stripe makes it.",
                    {"type": "string"},
                    required=True,
                ),
            ),
            problems=(
                "signature_malformed",
                "signature_wrong",
                "signature_out_of_time",
                "not_found",
                "request_timeout",
                "body_too_large",
                "unsupported_media_type",
                *_ALWAYS,
            ),
        )
        for path, identifier, summary in (
            (
                "/v1/webhooks/stripe",
                "receiveStripeEvent",
                "For Stripe: events of the platform's own account, signed.",
            ),
            (
                "/v1/webhooks/stripe/connect",
                "receiveConnectEvent",
                "For Stripe: events of connected accounts, signed.",
            ),
        )
    ),
)
