"""Disputes at Stripe: look at one, list those of a charge.

Source: Stripe API, "Disputes". Money moved by a dispute is in its `balance_transactions` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import stripe

from workers.gateways.stripe_amounts import AmountNotRepresentableError, from_stripe
from workers.gateways.stripe_charges import EXPANDED, PaidCharge, read_paid_charge
from workers.gateways.stripe_errors import missing
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_objects import (
    AccessRevoked,
    BalanceTransaction,
    Missing,
    read_balance_transaction,
    read_time,
)
from workers.runtime.worker import Refused

_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute. `amount_minor` in `currency` is what is disputed, not what was taken."""

    id: str
    created: datetime
    status: str
    reason: str
    amount_minor: int
    currency: str
    is_charge_refundable: bool
    evidence_due: datetime | None
    charge: PaidCharge | None
    balance_transactions: tuple[BalanceTransaction, ...]


async def fetch_dispute(
    stripe_gateway: StripeGateway, account: str, dispute: str
) -> Dispute | Missing | AccessRevoked:
    """The dispute `dp_…` or `du_…` with its charge; its balance transactions come whole."""
    try:
        path = f"/v1/disputes/{dispute}"
        return _read(await stripe_gateway.ask("get", path, account, expand=list(EXPANDED)))
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)


async def list_disputes(
    stripe_gateway: StripeGateway, account: str, charge: str
) -> list[Dispute] | Missing | AccessRevoked:
    """The disputes of a charge: there are few of them, one page is all."""
    expand: Final = [f"data.{name}" for name in EXPANDED]
    try:
        body = await stripe_gateway.ask(
            "get", "/v1/disputes", account, charge=charge, limit=_PAGE, expand=expand
        )
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)
    return [_read(dispute) for dispute in body["data"]]


def _read(body: Mapping[str, Any]) -> Dispute:
    try:
        return read_dispute(body)
    except AmountNotRepresentableError as error:
        raise Refused("currency_not_supported", str(error)) from error


def read_dispute(body: Mapping[str, Any]) -> Dispute:
    """A dispute with its charge expanded, or not."""
    currency = body["currency"].upper()
    charge = body.get("charge")
    due = (body.get("evidence_details") or {}).get("due_by")
    return Dispute(
        id=body["id"],
        created=read_time(body["created"]),
        status=body["status"],
        reason=body["reason"],
        amount_minor=from_stripe(body["amount"], currency),
        currency=currency,
        is_charge_refundable=body["is_charge_refundable"],
        evidence_due=read_time(due) if due else None,
        charge=read_paid_charge(charge) if isinstance(charge, Mapping) else None,
        balance_transactions=tuple(map(read_balance_transaction, body["balance_transactions"])),
    )
