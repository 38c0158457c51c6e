"""What we read of Stripe's objects, in our words: ISO minor units, UTC, upper-case currencies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.payments import FailureCode
from workers.gateways.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """What a movement did to the account's balance: `net_minor` = `amount_minor` − all fees."""

    id: str
    currency: str
    amount_minor: int
    fee_minor: int
    platform_fee_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken from the donor. Its balance transaction may appear some time after it."""

    id: str
    created: datetime
    balance_transaction: BalanceTransaction | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent. `donation` and `organization` are our metadata, None on somebody else's."""

    id: str
    status: str
    amount_minor: int
    currency: str
    donation: str | None
    organization: str | None
    client_secret: str | None
    decline_code: str | None
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way from the account's balance to the organization's bank."""

    id: str
    created: datetime
    balance_transaction: BalanceTransaction


@dataclass(frozen=True, slots=True)
class Declined:
    """A final no to a payment. `decline_code` is Stripe's word for it, when it gave one."""

    code: FailureCode
    decline_code: str | None = None
    payment_intent: str | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Stripe failed within, once, and answers this idempotency key so for a day."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The account has no such object."""


@dataclass(frozen=True, slots=True)
class AccessRevoked:
    """The account no longer lets us look."""


def read_intent(body: Mapping[str, Any]) -> Intent:
    """A PaymentIntent with `latest_charge.balance_transaction` expanded, or not."""
    currency = body["currency"].upper()
    metadata = body.get("metadata") or {}
    error = body.get("last_payment_error") or {}
    charge = body.get("latest_charge")
    return Intent(
        id=body["id"],
        status=body["status"],
        amount_minor=from_stripe(body["amount"], currency),
        currency=currency,
        donation=metadata.get("donation"),
        organization=metadata.get("organization"),
        client_secret=body.get("client_secret"),
        decline_code=error.get("decline_code") or error.get("code"),
        charge=_read_charge(charge) if isinstance(charge, Mapping) else None,
    )


def _read_charge(body: Mapping[str, Any]) -> Charge:
    balance_transaction = body.get("balance_transaction")
    return Charge(
        id=body["id"],
        created=read_time(body["created"]),
        balance_transaction=read_balance_transaction(balance_transaction)
        if isinstance(balance_transaction, Mapping)
        else None,
    )


def read_payout(body: Mapping[str, Any]) -> Payout:
    """A payout with its balance transaction expanded."""
    return Payout(
        id=body["id"],
        created=read_time(body["created"]),
        balance_transaction=read_balance_transaction(body["balance_transaction"]),
    )


def read_balance_transaction(body: Mapping[str, Any]) -> BalanceTransaction:
    """A balance transaction; the part of its fee that is the platform's is told apart."""
    currency = body["currency"].upper()
    platform_fee = sum(
        part["amount"]
        for part in body.get("fee_details") or ()
        if part["type"] == "application_fee"
    )
    return BalanceTransaction(
        id=body["id"],
        currency=currency,
        amount_minor=from_stripe(body["amount"], currency),
        fee_minor=from_stripe(body["fee"] - platform_fee, currency),
        platform_fee_minor=from_stripe(platform_fee, currency),
        net_minor=from_stripe(body["net"], currency),
    )


def read_time(seconds: int) -> datetime:
    """Stripe's Unix seconds as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)
