"""What an endpoint function is given: parameters, account, state, and a way to tell of events."""

import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from deploy.sandbox.errors import StripeError, no_such
from deploy.sandbox.faults import Faults
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.money import Rates, convert
from deploy.sandbox.store import Body, Store

API_VERSION = "2026-08-26.dahlia"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint as deliveries need it."""

    id: str
    url: str
    secret: str
    types: frozenset[str]
    connect: bool
    previous_secret: str = ""
    previous_until: int = 0

    def secrets(self, now: int) -> list[str]:
        """Return the secrets that sign now: two for a while after one was rolled."""
        return [self.secret, *([self.previous_secret] if now < self.previous_until else [])]

    def wants(self, event_type: str, *, from_connected_account: bool) -> bool:
        """Say whether events of this type and origin go to this endpoint."""
        return self.connect == from_connected_account and (
            event_type in self.types or "*" in self.types
        )


@dataclass(slots=True)
class LateTransactions:
    """Whether balance transactions appear after their charge; `delay_s` None waits for release."""

    enabled: bool = False
    delay_s: float | None = None


@dataclass(slots=True)
class World:
    """The sandbox's state that all calls share."""

    store: Store
    platform: str
    application: str
    base_url: str
    clock_offset_s: int = 0
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    late: LateTransactions = field(default_factory=LateTransactions)
    faults: Faults = field(default_factory=Faults)
    rates: Rates = field(default_factory=dict)
    pricing: dict[str, dict[str, int]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)

    def now(self) -> int:
        """Return the business time in Unix seconds; only tests move it, and only forward."""
        return int(self.clock())

    def clock(self) -> float:
        """Return the business time with its fraction of a second."""
        return time.time() + self.clock_offset_s

    def load_rates(self) -> None:
        """Read the rates that the control API moved."""
        rates = orjson.loads(self.store.setting("rates") or "{}")
        self.rates = {currency: (parts[0], parts[1]) for currency, parts in rates.items()}

    def load_pricing(self) -> None:
        """Read the prices of the accounts that have their own."""
        rows = self.store.database.execute(
            "SELECT substr(name, 9), value FROM settings "
            "WHERE name LIKE 'pricing:%' AND value <> '{}'"
        )
        self.pricing = {account: orjson.loads(value) for account, value in rows}

    def convert(self, amount: int, source: str, target: str) -> tuple[int, float | None]:
        """Return (amount in `target`, rate or None) at the rates of now; see `money.convert`."""
        return convert(amount, source, target, self.rates)

    def load_revoked(self) -> None:
        """Read which accounts took the platform's access away."""
        rows = self.store.database.execute("SELECT name FROM settings WHERE name GLOB 'revoked:*'")
        self.revoked = {name.removeprefix("revoked:") for (name,) in rows}

    def load_endpoints(self) -> None:
        """Read the webhook endpoints again after one changed."""
        rows = self.store.database.execute(
            "SELECT o.body, s.value FROM objects o JOIN settings s ON s.name = 'endpoint:' || o.id "
            "WHERE o.kind = 'webhook_endpoint'"
        )
        self.endpoints = {}
        for text, private in rows:
            body, hidden = orjson.loads(text), orjson.loads(private)
            if body["status"] == "enabled":
                self.endpoints[body["id"]] = Endpoint(
                    id=body["id"],
                    url=body["url"],
                    types=frozenset(body["enabled_events"]),
                    **hidden,
                )


@dataclass(slots=True)
class Call:
    """One request, or one control action, on one account."""

    world: World
    account: str
    params: dict[str, Any]
    ids: tuple[str, ...] = ()
    request_id: str | None = None
    idempotency_key: str | None = None
    key: str = ""
    now: int = 0
    emitted: list[tuple[int, str]] = field(default_factory=list)
    reading: bool = False
    publishable: bool = False
    endpoints_changed: bool = False
    late_charges: list[tuple[str, float]] = field(default_factory=list)
    timers_due: bool = False

    def __post_init__(self) -> None:
        self.now = self.world.now()

    @property
    def store(self) -> Store:
        """The durable objects."""
        return self.world.store

    @property
    def connected(self) -> bool:
        """Whether this call is on a connected account (a direct charge, its payouts ...)."""
        return self.account != self.world.platform

    def load(self, kind: str, object_id: str, param: str, label: str | None = None) -> Body:
        """Return an object of this account; raises StripeError (404)."""
        body = self.store.get(self.account, kind, object_id)
        if body is None:
            raise no_such(label or kind, object_id, param)
        return body

    def emit(
        self,
        event_type: str,
        body: Body,
        *,
        account: str | None = None,
        previous: Body | None = None,
    ) -> None:
        """Record an event with a snapshot of `body` and queue it to the endpoints that want it.

        `account` is where it happened if that is not the call's account.
        """
        owner = account or self.account
        connected = owner != self.world.platform
        wanting = [
            endpoint.id
            for endpoint in self.world.endpoints.values()
            if endpoint.wants(event_type, from_connected_account=connected)
            and owner not in self.world.revoked
        ]
        event: Body = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": {"object": body},
            "livemode": False,
            "pending_webhooks": len(wanting),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": event_type,
        }
        if previous is not None:
            event["data"]["previous_attributes"] = previous
        if connected:
            event["account"] = owner
        # Fixed as text now: the body goes on changing, the event says how it was.
        text = orjson.dumps(event).decode()
        self.store.insert(owner, event, {"type": event_type}, text=text)
        for endpoint_id in wanting:
            sequence = self.store.insert_delivery(event["id"], endpoint_id, self.world.clock())
            self.emitted.append((sequence, event_type))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is not simply 200 with the object: a decline keeps its effects."""

    status: int
    body: Body


def declined(error: StripeError, request_id: str | None) -> Answer:
    """Return the answer of a refusal whose effects (a failed charge, events) stay."""
    return Answer(error.status, error.body(request_id or "req_none"))
