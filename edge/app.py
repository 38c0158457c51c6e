"""The composition root of the edge: the only place where its parts meet."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiohttp import web

from contracts import connect
from edge import administration, affairs, api_keys, idempotency, server, signing_in
from edge.accounts.service import AccountService
from edge.audit.trail import AuditTrail
from edge.authentication import Authentication
from edge.authorization import Authorization
from edge.census.service import Censuses
from edge.clock import BusinessClock
from edge.database.listener import Listener
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.directory.tokens import Tokens
from edge.donations.acceptance import Acceptance
from edge.donations.service import DonationService
from edge.donations.status import Donations
from edge.donations.steps import Steps
from edge.exports.service import Exports
from edge.forwarding import requiring_https
from edge.gate import Gate
from edge.health import HEALTH, Health
from edge.keys.uses import Uses
from edge.ledger.service import MemberLedger
from edge.limits import service as counting
from edge.limits.clients import Clients
from edge.limits.leases import Leases
from edge.limits.rates import RateLimits
from edge.limits.service import DonationLimits
from edge.members.standing import Standings
from edge.own_word import OwnWord
from edge.payouts.service import PayoutBooks
from edge.proofs.service import Proofs
from edge.public.service import PublicLedger
from edge.published_log import PublishedLog
from edge.receipts.service import Receipts
from edge.reconciler.service import Reconciler
from edge.reconciliation.service import Reconciliations
from edge.refunds.service import Refunds
from edge.routes.accounts import AccountRoutes
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
from edge.routes.table import Routes, access_to, operation_of, rate_to, table
from edge.routes.webhooks import WebhookRoutes
from edge.settings import Settings
from edge.spicedb import SpiceDB
from edge.waiting import Waiters
from edge.webhooks.reception import Reception
from ledger.audit import PURPOSE as AUDIT
from ledger.keys import derive


class _Part(Protocol):
    def start(self) -> None: ...

    async def close(self) -> None: ...


def build_app(settings: Settings) -> web.Application:
    """The application. Call it in the running loop; connections open when the app starts."""
    key = settings.master_key
    database = Database(settings.postgres)
    directory = Directory(database)
    changes: Waiters[str] = Waiters()
    spicedb = SpiceDB(settings.spicedb, settings.spicedb_token)
    authorization, tokens = _authorization(database, directory, spicedb)
    listener = _listener(settings, directory, tokens, changes)
    authentication, uses = _authentication(settings, database, directory)
    health = Health(database, listener, spicedb, settings.outbox_age_s_max)
    log = PublishedLog(settings.public, settings.log_origin)
    acceptance = Acceptance(database, key)
    clock = BusinessClock(settings.environment)
    members = (database, directory, authorization)
    counted = _counted(settings, database, directory)
    service = DonationService(
        *(directory, authorization, acceptance, counted.gifts, health.is_backlogged),
        *(partial(clock.moment, database), settings.currencies),
    )
    donations = Donations(
        *(database, acceptance, key, changes, authorization), settings.stripe_publishable_key
    )
    steps = Steps(acceptance, donations, counted.gifts, health.is_backlogged)
    refunds = Refunds(database, donations, authorization, changes, health.is_backlogged)
    reception = Reception(database, directory, key, is_live=settings.environment == "live")
    public = PublicLedger(*members, clock, settings.log_origin)
    censuses = Censuses(database, log)
    fingerprint_key = derive(key, idempotency.PURPOSE)
    sign_in = signing_in.build(settings, database)
    accounts = AccountService(*members, changes, key)
    routes = Routes(
        accounts=AccountRoutes(accounts, fingerprint_key),
        administration=administration.build(settings, *members),
        affairs=affairs.build(
            *(members, public, changes, clock, key, health.is_backlogged, donations, spicedb)
        ),
        authentication=sign_in.routes,
        connect_pages=ConnectRoutes(accounts, derive(key, connect.PURPOSE)),
        donations=DonationRoutes(service, donations, steps, counted.gifts, fingerprint_key),
        refunds=RefundRoutes(refunds, fingerprint_key),
        receipts=ReceiptRoutes(Receipts(database, donations, authorization, log, key, changes)),
        webhooks=WebhookRoutes(reception, "account", settings.stripe_account_secrets),
        connect_webhooks=WebhookRoutes(reception, "connect", settings.stripe_connect_secrets),
        public=PublicRoutes(public),
        census=CensusRoutes(public, censuses),
        proofs=ProofRoutes(Proofs(database, log), log.number),
        exports=ExportRoutes(public, Exports(database, log, censuses, clock)),
        ledger=LedgerRoutes(MemberLedger(database, authorization, clock)),
        payouts=PayoutRoutes(PayoutBooks(database)),
        reconciliation=ReconciliationRoutes(Reconciliations(database)),
        log=LogRoutes(log),
        health=HealthRoutes(health, settings.environment),
        documentation=DocumentationRoutes(settings.url),
    )
    gate = Gate(authentication, sign_in.people, directory, authorization, counted.rates)
    trail = AuditTrail(database, derive(key, AUDIT), counted.clients.client_of)
    app = _application(settings, counted.clients, routes, gate, trail)
    parts = (trail, listener, service, reception, health, uses, Reconciler(database, spicedb))
    return _living(app, database, health, log, changes, [*parts, *counted.parts, *sign_in.parts])


def _application(
    settings: Settings, clients: Clients, routes: Routes, gate: Gate, trail: AuditTrail
) -> web.Application:
    app = server.application(settings.url, settings.bounds, clients.address_of)
    if settings.requires_https:
        app.middlewares.append(
            requiring_https(settings.limits.trusted_proxies, settings.limits.forwarded)
        )
    _add_routes(app, routes, gate, trail)
    return app


@dataclass(frozen=True, slots=True)
class _Counted:
    clients: Clients
    gifts: DonationLimits
    rates: RateLimits
    parts: list[_Part]


def _counted(settings: Settings, database: Database, directory: Directory) -> _Counted:
    """What counts how often somebody asks."""
    key = derive(settings.master_key, counting.PURPOSE)
    clients = Clients(settings.limits)
    gifts = DonationLimits(database, settings.limits, clients, key)
    leases = Leases(database, key, time.monotonic)
    rates = RateLimits(settings.policies, clients, leases, directory)
    return _Counted(clients, gifts, rates, [gifts, leases])


def _authorization(
    database: Database, directory: Directory, spicedb: SpiceDB
) -> tuple[Authorization, Tokens]:
    """What SpiceDB and the edge's own rows allow, as of the newest relationships known."""
    tokens = Tokens(database)
    word = OwnWord(directory, Standings(database))
    authorization = Authorization(spicedb, time.monotonic, tokens.of, word)
    tokens.on_change = authorization.forget
    return authorization, tokens


def _authentication(
    settings: Settings, database: Database, directory: Directory
) -> tuple[Authentication, Uses]:
    """Who is behind a key, and when each key was last used."""
    uses = Uses(database)
    hash_key = derive(settings.master_key, api_keys.PURPOSE)
    return Authentication(directory, hash_key, settings.environment, uses.note), uses


def _add_routes(app: web.Application, routes: Routes, gate: Gate, trail: AuditTrail) -> None:
    for method, path, handler in table(routes):
        guarded = gate.guard(access_to(method, path), rate_to(method, path), handler)
        if (operation := operation_of(method, path)) is not None:
            guarded = trail.watch(operation, guarded)
        for answered in ("GET", "HEAD") if method == "GET" else (method,):
            app.router.add_route(answered, path, guarded, expect_handler=server.meet_expectation)


def _listener(
    settings: Settings, directory: Directory, tokens: Tokens, changes: Waiters[str]
) -> Listener:
    def after_gap(is_listening: bool) -> None:
        directory.forget()
        tokens.forget()
        directory.is_caching = tokens.is_caching = is_listening
        changes.wake_all()

    channels = {
        "edge_directory": lambda _: directory.forget(),
        "donations": changes.wake,
        "accounts": changes.wake,
        "entries": changes.wake,
        "events": changes.wake,
        "permissions": tokens.hear,
    }
    return Listener(settings.postgres, channels, on_gap=after_gap)


def _living(
    app: web.Application,
    database: Database,
    health: Health,
    log: PublishedLog,
    changes: Waiters[str],
    parts: Sequence[_Part],
) -> web.Application:
    app[HEALTH] = health

    async def start(_: web.Application) -> None:
        await database.open()
        for part in [*parts, log]:
            part.start()

    async def drain(_: web.Application) -> None:
        # Those who wait get what is known now, so that none outlasts the server's patience.
        health.is_draining = True
        changes.close()
        await log.close()

    async def stop(_: web.Application) -> None:
        for part in reversed(parts):
            await part.close()
        await database.close()

    app.on_response_prepare.append(server.prepare_headers)
    app.on_startup.append(start)
    app.on_shutdown.append(drain)
    app.on_cleanup.append(stop)
    return app
