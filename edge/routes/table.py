"""Which handler answers which method on which path: the whole API on one screen.

Who may is stated beside each operation (`<subject>/operations.py`); for what no document describes,
here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from edge.access import PUBLIC, Access, Public
from edge.limits.policies import Rate, rate_of
from edge.operation import Operation
from edge.operations import OPERATIONS
from edge.routes.accounts import AccountRoutes
from edge.routes.administration import Administration
from edge.routes.affairs import Affairs
from edge.routes.authentication import AuthenticationRoutes
from edge.routes.census import CensusRoutes
from edge.routes.connect import ConnectRoutes
from edge.routes.documentation import DocumentationRoutes
from edge.routes.donations import DonationRoutes
from edge.routes.exports import ExportRoutes
from edge.routes.health import HealthRoutes
from edge.routes.ledger import LedgerRoutes
from edge.routes.log import LogRoutes
from edge.routes.payouts import PayoutRoutes
from edge.routes.proofs import ProofRoutes
from edge.routes.public import PublicRoutes
from edge.routes.receipts import ReceiptRoutes
from edge.routes.reconciliation import ReconciliationRoutes
from edge.routes.refunds import RefundRoutes
from edge.routes.webhooks import WebhookRoutes

_DONATIONS: Final = "/v1/donations"
_PUBLIC: Final = "/v1/public/organizations/{slug}"
_PROOF: Final = "/v1/public/log/{log}/proof"
_MEMBER: Final = "/v1/organizations/{organization}"
_ACCOUNT: Final = f"{_MEMBER}/stripe-account"

Handler = Callable[[web.Request], Any]
Row = tuple[str, str, Handler]


#: What is for operators and browsers, and in no document.
UNDOCUMENTED: Final = frozenset(
    {"/livez", "/readyz", "/metrics", "/version", "/openapi.json", "/problems", "/problems/{code}"}
)
_OPERATIONS: Final = {
    (operation.method.upper(), operation.path): operation for operation in OPERATIONS
}


def access_to(method: str, path: str) -> Access | Public:
    """Who may use a route; LookupError for one that nobody described, which then does not start."""
    if path in UNDOCUMENTED:
        return PUBLIC
    return _OPERATIONS[method, path.replace(":.*}", "}")].access


def rate_to(method: str, path: str) -> Rate:
    """How requests to a route are counted."""
    if path in UNDOCUMENTED:
        return rate_of(method, path)
    return _OPERATIONS[method, path.replace(":.*}", "}")].rate


def operation_of(method: str, path: str) -> Operation | None:
    """What a route does; None for what no document describes."""
    return _OPERATIONS.get((method, path.replace(":.*}", "}")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Every handler there is, by subject."""

    accounts: AccountRoutes
    administration: Administration
    affairs: Affairs
    authentication: AuthenticationRoutes
    connect_pages: ConnectRoutes
    donations: DonationRoutes
    refunds: RefundRoutes
    receipts: ReceiptRoutes
    webhooks: WebhookRoutes
    connect_webhooks: WebhookRoutes
    public: PublicRoutes
    census: CensusRoutes
    proofs: ProofRoutes
    exports: ExportRoutes
    ledger: LedgerRoutes
    payouts: PayoutRoutes
    reconciliation: ReconciliationRoutes
    log: LogRoutes
    health: HealthRoutes
    documentation: DocumentationRoutes


def table(routes: Routes) -> tuple[Row, ...]:
    """Method, path, handler."""
    return (
        *routes.authentication.table(),
        *_of_money(routes),
        *routes.affairs.table(),
        *routes.administration.table(),
        *_of_the_ledger(routes),
        *_of_the_server(routes),
    )


def _of_money(routes: Routes) -> tuple[Row, ...]:
    return (
        ("POST", _DONATIONS, routes.donations.create),
        ("GET", f"{_DONATIONS}/{{donation}}", routes.donations.show),
        ("POST", f"{_DONATIONS}/{{donation}}/attempts", routes.donations.attempt),
        ("POST", f"{_DONATIONS}/{{donation}}/cancel", routes.donations.cancel),
        ("GET", f"{_DONATIONS}/{{donation}}/receipt", routes.receipts.show),
        ("POST", _ACCOUNT, routes.accounts.create),
        ("GET", _ACCOUNT, routes.accounts.show),
        ("DELETE", _ACCOUNT, routes.accounts.retire),
        ("POST", f"{_ACCOUNT}/links", routes.accounts.link),
        ("GET", f"{_ACCOUNT}/requests/{{request}}", routes.accounts.show_request),
        ("GET", "/v1/connect/return", routes.connect_pages.back),
        ("GET", "/v1/connect/refresh", routes.connect_pages.refresh),
        ("POST", "/v1/webhooks/stripe", routes.webhooks.receive),
        ("POST", "/v1/webhooks/stripe/connect", routes.connect_webhooks.receive),
        ("POST", f"{_DONATIONS}/{{donation}}/refunds", routes.refunds.create),
        ("GET", f"{_DONATIONS}/{{donation}}/refunds", routes.refunds.of_gift),
        ("GET", "/v1/refunds/{refund}", routes.refunds.show),
    )


def _of_the_ledger(routes: Routes) -> tuple[Row, ...]:
    return (
        ("GET", _PUBLIC, routes.public.organization),
        ("GET", f"{_PUBLIC}/ledger", routes.public.entries),
        ("GET", f"{_PUBLIC}/ledger/entries/{{entry}}", routes.public.entry),
        ("GET", f"{_PUBLIC}/ledger/entries/{{entry}}/openings", routes.public.openings),
        ("GET", f"{_PUBLIC}/ledger/export", routes.exports.public),
        ("GET", f"{_PUBLIC}/ledger/export/manifest", routes.exports.public_manifest),
        ("GET", f"{_MEMBER}/ledger/export", routes.exports.member),
        ("GET", f"{_MEMBER}/ledger/export/manifest", routes.exports.member_manifest),
        ("GET", f"{_PUBLIC}/ledger/census", routes.census.show),
        ("GET", f"{_PROOF}/inclusion", routes.proofs.inclusion),
        ("GET", f"{_PROOF}/consistency", routes.proofs.consistency),
        ("GET", f"{_MEMBER}/ledger", routes.ledger.entries),
        ("GET", f"{_MEMBER}/ledger/entries/{{entry}}", routes.ledger.entry),
        ("GET", f"{_MEMBER}/payouts", routes.payouts.list),
        ("GET", f"{_MEMBER}/payouts/{{payout}}", routes.payouts.show),
        ("GET", f"{_MEMBER}/payouts/{{payout}}/items", routes.payouts.items),
        ("GET", f"{_MEMBER}/payouts/{{payout}}/items.csv", routes.payouts.csv),
        ("GET", f"{_MEMBER}/payout-settings", routes.payouts.settings),
        ("PATCH", f"{_MEMBER}/payout-settings", routes.payouts.change_settings),
        ("GET", f"{_MEMBER}/reconciliation", routes.reconciliation.show),
        ("GET", f"{_MEMBER}/reconciliation.csv", routes.reconciliation.csv),
        ("GET", "/log/{log}/{path:.*}", routes.log.file),
    )


def _of_the_server(routes: Routes) -> tuple[Row, ...]:
    return (
        ("GET", "/livez", routes.health.live),
        ("GET", "/readyz", routes.health.ready),
        ("GET", "/metrics", routes.health.metrics),
        ("GET", "/version", routes.health.version),
        ("GET", "/openapi.json", routes.documentation.openapi),
        ("GET", "/problems", routes.documentation.problems),
        ("GET", "/problems/{code}", routes.documentation.problem),
    )
