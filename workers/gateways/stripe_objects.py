"""What we read of Stripe's objects, in our words: ISO minor units, UTC, upper-case currencies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.payments import FailureCode
from workers.gateways.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class Fee:
    """One line of `fee_details`, in the balance transaction's currency; negative: given back.

    `kind` is Stripe's word: application_fee (the platform's), stripe_fee, tax or
    payment_method_passthrough_fee. Source: Stripe API, "The balance transaction object".
    """

    kind: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """What a movement did to the account's balance: `net_minor` = `amount_minor` − all fees.

    `fee_minor` is the sum of `fees` without the platform's, which is `platform_fee_minor`.
    `category` is Stripe's `reporting_category`, `source` the object that moved the money,
    `exchange_rate` a decimal string: settled / presented, in Stripe's units.
    """

    id: str
    currency: str
    amount_minor: int
    fee_minor: int
    platform_fee_minor: int
    net_minor: int
    created: datetime
    category: str
    source: str | None = None
    exchange_rate: str | None = None
    fees: tuple[Fee, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken from the donor. Its balance transaction may appear some time after it."""

    id: str
    created: datetime
    balance_transaction: BalanceTransaction | None


@dataclass(frozen=True, slots=True)
class DeclinedCard:
    """A card that a charge was tried on in vain, at `at` (None: just now).

    `fingerprint` is Stripe's name of the card's number, the same for all of a platform's accounts.
    """

    charge: str
    fingerprint: str = field(repr=False)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent. `donation` and `organization` are our metadata, None on somebody else's.

    `allows_redirects`: a confirmation must say where the donor comes back to.
    """

    id: str
    status: str
    amount_minor: int
    currency: str
    donation: str | None
    organization: str | None
    client_secret: str | None
    decline_code: str | None
    charge: Charge | None
    cancellation_reason: str | None = None
    declined_card: DeclinedCard | None = None
    allows_redirects: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """A final no to a payment. `decline_code` is Stripe's word for it, when it gave one.

    `minimum_minor` in `minimum_currency` is the least that Stripe charges, when it said so.
    """

    code: FailureCode
    decline_code: str | None = None
    payment_intent: str | None = None
    minimum_minor: int | None = None
    minimum_currency: str | None = None
    card: DeclinedCard | None = None


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
    latest = body.get("latest_charge")
    charge = _read_charge(latest) if isinstance(latest, Mapping) else None
    methods = body.get("automatic_payment_methods") or {}
    return Intent(
        id=body["id"],
        status=body["status"],
        amount_minor=from_stripe(body["amount"], currency),
        currency=currency,
        donation=metadata.get("donation"),
        organization=metadata.get("organization"),
        client_secret=body.get("client_secret"),
        decline_code=error.get("decline_code") or error.get("code"),
        charge=charge,
        cancellation_reason=body.get("cancellation_reason"),
        declined_card=read_declined_card(error, charge),
        allows_redirects=methods.get("allow_redirects") == "always",
    )


def read_declined_card(
    error: Mapping[str, Any], charge: Charge | None = None
) -> DeclinedCard | None:
    """The card in an error about a payment; `charge` is the newest one, when it is known."""
    method, tried = error.get("payment_method"), error.get("charge")
    card = method.get("card") if isinstance(method, Mapping) else None
    fingerprint = card.get("fingerprint") if isinstance(card, Mapping) else None
    if not fingerprint or not isinstance(tried, str):
        return None
    return DeclinedCard(tried, fingerprint, charge.created if charge else None)


def _read_charge(body: Mapping[str, Any]) -> Charge:
    balance_transaction = body.get("balance_transaction")
    return Charge(
        id=body["id"],
        created=read_time(body["created"]),
        balance_transaction=read_balance_transaction(balance_transaction)
        if isinstance(balance_transaction, Mapping)
        else None,
    )


def read_balance_transaction(body: Mapping[str, Any]) -> BalanceTransaction:
    """A balance transaction; the part of its fee that is the platform's is told apart."""
    currency = body["currency"].upper()
    fees = tuple(
        Fee(line["type"], from_stripe(line["amount"], currency))
        for line in body.get("fee_details") or ()
    )
    platform_fee_minor = sum(fee.amount_minor for fee in fees if fee.kind == "application_fee")
    source, rate = body.get("source"), body.get("exchange_rate")
    return BalanceTransaction(
        id=body["id"],
        currency=currency,
        amount_minor=from_stripe(body["amount"], currency),
        fee_minor=from_stripe(body["fee"], currency) - platform_fee_minor,
        platform_fee_minor=platform_fee_minor,
        net_minor=from_stripe(body["net"], currency),
        created=read_time(body["created"]),
        category=body["reporting_category"],
        source=source["id"] if isinstance(source, Mapping) else source,
        exchange_rate=None if rate is None else format(Decimal(repr(rate)), "f"),
        fees=fees,
    )


def read_time(seconds: int) -> datetime:
    """Stripe's Unix seconds as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)
