"""What the API offers: one table of operations, from which the OpenAPI document is made."""

from typing import Any, Final

from edge.access import PUBLIC
from edge.accounts.operations import ACCOUNTS
from edge.audit.operations import AUDIT
from edge.bookings.operations import BOOKINGS
from edge.campaigns.operations import CAMPAIGNS
from edge.census.models import CensusProof
from edge.collectors.operations import COLLECTORS
from edge.donations.operations import DONATIONS
from edge.donors.operations import DONORS
from edge.events.operations import EVENTS
from edge.exports.operations import EXPORTS
from edge.funds.operations import FUNDS
from edge.keys.operations import KEYS
from edge.ledger.operations import LEDGER
from edge.members.operations import MEMBERS
from edge.operation import ALWAYS as _ALWAYS
from edge.operation import IF_NONE_MATCH as _IF_NONE_MATCH
from edge.operation import SLUG as _SLUG
from edge.operation import Operation
from edge.operation import parameter as _parameter
from edge.organizations.operations import ORGANIZATIONS
from edge.payouts.operations import PAYOUTS
from edge.permissions.operations import PERMISSION_QUERIES
from edge.projects.operations import PROJECTS
from edge.proofs.models import ConsistencyProof, InclusionProof
from edge.public.models import PublicOrganization
from edge.reconciliation.operations import RECONCILIATION
from edge.refunds.operations import REFUNDS
from edge.rights.operations import RIGHTS
from edge.rights.operations_staff import ERASURES
from edge.sessions.operations import SESSIONS
from edge.transactions.operations import TRANSACTIONS


def _tree_size(
    name: str, least: int, description: str = "Up to that of the newest checkpoint."
) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": (1 << 53) - 1}
    return _parameter(name, "query", description, schema, required=True)


_LOG: Final = _parameter("log", "path", "The log's number.", {"type": "integer"})
OPERATIONS: Final = (
    *DONATIONS,
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
    *ORGANIZATIONS,
    *MEMBERS,
    *KEYS,
    *COLLECTORS,
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
    *ERASURES,
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
        answer=("application/octet-stream", "text/plain"),
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
