"""An account's balance at Stripe, line by line: balance transactions, what is available, origins.

Source: Stripe API, "Balance transactions", "Balance", "Reporting categories".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import stripe

from workers.gateways.stripe_amounts import AmountNotRepresentableError, from_stripe
from workers.gateways.stripe_errors import missing
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_objects import AccessRevoked, Missing, read_time
from workers.runtime.worker import Refused

PAGE: Final = 100
#: What a charge is found by, from the sources of balance transactions.
_CHARGES: Final = ("ch_", "py_")
_REFUNDS: Final = ("re_", "pyr_")
_DISPUTES: Final = ("dp_", "du_")
#: Sources whose balance transactions payments books.
OF_PAYMENTS: Final = (*_CHARGES, *_REFUNDS, *_DISPUTES)


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """A balance transaction as a line of the account: ISO minor units, net = amount - fee.

    `category` is Stripe's `reporting_category`; `source` is empty where Stripe names none.
    """

    id: str
    category: str
    source: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """What the charge behind a movement says of its gift: our metadata, None on another shop's.

    `has_failed`: a bank debit that the bank refused, after it was on the balance already.
    """

    donation: str | None
    organization: str | None
    has_failed: bool = False


def read_line(body: Mapping[str, Any]) -> BalanceLine:
    """A balance transaction, its source expanded or not."""
    currency = body["currency"].upper()
    source = body.get("source")
    if isinstance(source, Mapping):
        source = source["id"]
    return BalanceLine(
        id=body["id"],
        category=body["reporting_category"],
        source=source or "",
        currency=currency,
        amount_minor=_minor(body["amount"], currency),
        fee_minor=_minor(body["fee"], currency),
        net_minor=_minor(body["net"], currency),
        created=read_time(body["created"]),
    )


def _minor(amount: int, currency: str) -> int:
    try:
        return from_stripe(amount, currency)
    except AmountNotRepresentableError as error:
        raise Refused("currency_not_supported", str(error)) from error


async def list_lines(stripe_: StripeGateway, account: str, **query: Any) -> list[BalanceLine]:
    """All balance transactions that the query finds, newest first, as Stripe lists them."""
    found: list[BalanceLine] = []
    while True:
        page = await stripe_.ask("get", "/v1/balance_transactions", account, limit=PAGE, **query)
        found += map(read_line, page["data"])
        if not page["has_more"]:
            return found
        query["starting_after"] = found[-1].id


async def lines_of_payout(stripe_: StripeGateway, account: str, payout: str) -> list[BalanceLine]:
    """What Stripe says an automatic payout is made of, its own line included."""
    return await list_lines(stripe_, account, payout=payout)


async def lines_until(
    stripe_: StripeGateway, account: str, currency: str, *, first: datetime | None, last: datetime
) -> list[BalanceLine]:
    """The account's lines of a currency created from `first` to `last`, both included."""
    created: dict[str, int] = {"lte": int(last.timestamp())}
    if first is not None:
        created["gte"] = int(first.timestamp())
    return await list_lines(stripe_, account, currency=currency.lower(), created=created)


async def fetch_line(
    stripe_: StripeGateway, account: str, transaction: str
) -> BalanceLine | Missing | AccessRevoked:
    """The balance transaction `txn_…`."""
    try:
        path = f"/v1/balance_transactions/{transaction}"
        return read_line(await stripe_.ask("get", path, account))
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)


async def fetch_available(stripe_: StripeGateway, account: str) -> dict[str, int]:
    """What could be paid out at this moment, by currency, in the integers of Stripe's API."""
    body = await stripe_.ask("get", "/v1/balance", account)
    return {part["currency"].upper(): part["amount"] for part in body["available"]}


async def fetch_origin(stripe_: StripeGateway, account: str, source: str) -> Origin | None:
    """The charge that a charge, refund or dispute is about; None for any other source."""
    if source.startswith(_CHARGES):
        charge = source
    elif source.startswith(_REFUNDS):
        charge = (await stripe_.ask("get", f"/v1/refunds/{source}", account)).get("charge")
    elif source.startswith(_DISPUTES):
        charge = (await stripe_.ask("get", f"/v1/disputes/{source}", account)).get("charge")
    else:
        return None
    if not isinstance(charge, str):
        return Origin(None, None)
    body = await stripe_.ask("get", f"/v1/charges/{charge}", account)
    metadata = body.get("metadata") or {}
    has_failed = body.get("status") == "failed"
    return Origin(metadata.get("donation"), metadata.get("organization"), has_failed)
