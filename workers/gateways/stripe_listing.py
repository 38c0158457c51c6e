"""What Stripe lists of an account: balance transactions, its balance, events it could not deliver.

Calls come one after the other with a pause before each, so that whoever takes payments keeps most
of the account's rate (Stripe, "Rate limits"). Amounts are ISO minor units, signed as Stripe signs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import stripe

from workers.gateways.stripe_amounts import AmountNotRepresentableError, from_stripe
from workers.gateways.stripe_errors import missing
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_objects import AccessRevoked, Intent, Missing, read_time
from workers.runtime.failures import delays
from workers.runtime.worker import Refused, Transient

PAGE: Final = 100
TRIES_MAX: Final = 6


class UnreachableError(Exception):
    """The account no longer lets us look, or no longer exists."""


@dataclass(frozen=True, slots=True)
class Source:
    """The object that moved money, as far as it was shown. `donation` and `organization` are ours.

    `charge` is the one that a refund or a dispute is about; `status` is the object's own.
    """

    kind: str
    status: str | None
    charge: str | None
    donation: str | None
    organization: str | None


@dataclass(frozen=True, slots=True)
class Movement:
    """A balance transaction: `net_minor` = `amount_minor` − `fee_minor`, all of its fees.

    `category` is `reporting_category` (Stripe, "Reporting categories"), `source` its object's id.
    """

    id: str
    created: datetime
    category: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    source: str | None
    object: Source | None


@dataclass(frozen=True, slots=True)
class UndeliveredEvent:
    """An event that some endpoint of ours did not acknowledge. `object` is what it is about."""

    id: str
    event_type: str
    object: str | None
    account: str | None
    created: datetime


class Listing:
    """Reads through a gateway, at most one call in `pause_s` for each reader of an account."""

    def __init__(self, stripe_gateway: StripeGateway, pause_s: float) -> None:
        self.gateway = stripe_gateway
        self._pause_s = pause_s

    async def movements(
        self, account: str, since: datetime | None
    ) -> AsyncIterator[list[Movement]]:
        """Pages of balance transactions, newest first; `since` bounds when they were made."""
        async for page in self._pages("/v1/balance_transactions", account, since, expand=_SOURCE):
            yield [read_movement(body) for body in page]

    async def movement(self, account: str, found: str) -> Movement | Missing:
        """One balance transaction."""
        path = f"/v1/balance_transactions/{found}"
        body = await self._ask(path, account, expand=["source"])
        return body if isinstance(body, Missing) else read_movement(body)

    async def source_charge(self, account: str, charge: str) -> Source | Missing:
        """The charge `ch_…`: whose gift it is."""
        body = await self._ask(f"/v1/charges/{charge}", account)
        return body if isinstance(body, Missing) else _read_source(body)

    async def intent_of(self, account: str, donation: str) -> Intent | None:
        """The payment intent of a gift, found by its metadata."""
        found = await self.gateway.find_intent(account, donation)
        if isinstance(found, AccessRevoked):
            raise UnreachableError("Stripe refuses access")
        return found

    async def balance(self, account: str) -> dict[str, int]:
        """Available and pending money together, by currency."""
        body = _found(await self._ask("/v1/balance", account))
        sums: dict[str, int] = {}
        for part in (*body["available"], *body["pending"]):
            currency = part["currency"].upper()
            sums[currency] = sums.get(currency, 0) + _minor(part["amount"], currency)
        return sums

    async def undelivered(
        self, account: str | None, since: datetime | None
    ) -> AsyncIterator[list[UndeliveredEvent]]:
        """Pages of events that were not delivered, newest first (None: the platform's own).

        Stripe lists 30 days. Source: Stripe, "Process undelivered webhook events".
        """
        async for page in self._pages("/v1/events", account, since, delivery_success=False):
            yield [_read_event(body, account) for body in page]

    async def _pages(
        self, path: str, account: str | None, since: datetime | None, **parameters: Any
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        if since is not None:
            parameters["created"] = {"gte": int(since.timestamp())}
        while True:
            body = _found(await self._ask(path, account, limit=PAGE, **parameters))
            yield body["data"]
            if not body["has_more"] or not body["data"]:
                return
            parameters["starting_after"] = body["data"][-1]["id"]

    async def _ask(self, path: str, account: str | None, **parameters: Any) -> Any:
        """A call, repeated with growing pauses while Stripe has no time for it (429, 5xx)."""
        pauses = delays(0.5, 8.0)
        for attempt in range(1, TRIES_MAX + 1):
            await asyncio.sleep(self._pause_s)
            try:
                return await self.gateway.ask("get", path, account, **parameters)
            except stripe.PermissionError as error:
                raise UnreachableError(f"Stripe refuses access, code {error.code}") from error
            except stripe.InvalidRequestError as error:
                return missing(error)
            except Transient:
                if attempt == TRIES_MAX:
                    raise
                await asyncio.sleep(next(pauses) * min(1.0, self._pause_s * 10))
        raise AssertionError("a try either answers or raises")


_SOURCE: Final = ["data.source"]


def _found(body: Any) -> Any:
    """What every account has; an account that has none is not there any more."""
    if isinstance(body, Missing):
        raise UnreachableError("Stripe knows no such account")
    return body


def read_movement(body: Mapping[str, Any]) -> Movement:
    """A balance transaction, its source expanded or not; Refused when ISO has no such fraction."""
    currency = body["currency"].upper()
    source = body.get("source")
    return Movement(
        id=body["id"],
        created=read_time(body["created"]),
        category=body["reporting_category"],
        currency=currency,
        amount_minor=_minor(body["amount"], currency),
        fee_minor=_minor(body["fee"], currency),
        net_minor=_minor(body["net"], currency),
        source=source["id"] if isinstance(source, Mapping) else source,
        object=_read_source(source) if isinstance(source, Mapping) else None,
    )


def _read_source(body: Mapping[str, Any]) -> Source:
    metadata = body.get("metadata") or {}
    return Source(
        kind=body["object"],
        status=body.get("status"),
        charge=_id_of(body.get("charge")),
        donation=metadata.get("donation"),
        organization=metadata.get("organization"),
    )


def _read_event(body: Mapping[str, Any], account: str | None) -> UndeliveredEvent:
    return UndeliveredEvent(
        id=body["id"],
        event_type=body["type"],
        object=_id_of(body["data"]["object"]),
        account=body.get("account") or account,
        created=read_time(body["created"]),
    )


def _id_of(value: Any) -> str | None:
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _minor(amount: int, currency: str) -> int:
    try:
        return from_stripe(amount, currency)
    except AmountNotRepresentableError as error:
        raise Refused("currency_not_supported", str(error)) from error
