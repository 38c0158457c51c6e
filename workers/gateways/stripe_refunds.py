"""Refunds at Stripe: make one, look at one, list those of a charge.

Source: Stripe API, "Refunds". A refund has a balance transaction once money moved, and a second
one, `failure_balance_transaction`, when it failed and the money came back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import stripe

from workers.gateways.stripe_amounts import AmountNotRepresentableError, from_stripe, to_stripe
from workers.gateways.stripe_charges import EXPANDED, PaidCharge, read_paid_charge
from workers.gateways.stripe_errors import error_of, missing
from workers.gateways.stripe_gateway import StripeGateway, idempotency_key
from workers.gateways.stripe_objects import (
    AccessRevoked,
    BalanceTransaction,
    Missing,
    Unresolved,
    read_balance_transaction,
    read_time,
)
from workers.runtime.worker import Refused

_EXPAND: Final = ["balance_transaction", "failure_balance_transaction", *EXPANDED]
_PAGE: Final = 100

#: A 400's `code` or `param`, and what it means here. Stripe API, "Error codes".
_REFUSALS: Final = {
    "amount": "exceeds_refundable",
    "balance_insufficient": "insufficient_balance",
    "charge_already_refunded": "exceeds_refundable",
    "charge_disputed": "dispute_open",
    "charge_not_refundable": "not_refundable",
    "insufficient_funds": "insufficient_balance",
    "refund_disputed_payment": "dispute_open",
}


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund. `refund` is our metadata, None on one that was made elsewhere.

    `amount_minor` is in `currency`, the donor's. `why` says why it is pending or failed.
    """

    id: str
    created: datetime
    status: str
    amount_minor: int
    currency: str
    reason: str | None
    why: str | None
    refund: str | None
    charge: PaidCharge | None
    balance_transaction: BalanceTransaction | None
    failure_balance_transaction: BalanceTransaction | None


@dataclass(frozen=True, slots=True)
class RefundDenied:
    """Stripe's final no."""

    code: str


async def create_refund(
    stripe_gateway: StripeGateway,
    account: str,
    *,
    charge: str,
    refund: str,
    donation: str,
    organization: str,
    amount_minor: int,
    currency: str,
    reason: str,
    returns_platform_fee: bool,
    attempt: int,
) -> Refund | RefundDenied | Unresolved:
    """Refund a charge (Stripe, "Create a refund"); the platform's fee in proportion if asked."""
    try:
        amount = to_stripe(amount_minor, currency)
    except AmountNotRepresentableError:
        return RefundDenied("amount_not_accepted")
    fee: dict[str, Any] = {"refund_application_fee": True} if returns_platform_fee else {}
    try:
        body = await stripe_gateway.ask(
            "post",
            "/v1/refunds",
            account,
            idempotency_key=idempotency_key("refund.create", refund, attempt),
            charge=charge,
            amount=amount,
            reason=reason,
            metadata={"refund": refund, "donation": donation, "organization": organization},
            expand=_EXPAND,
            **fee,
        )
    except stripe.PermissionError:
        return RefundDenied("account_unavailable")
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        parameter = error_of(error).get("param") or ""
        code = _REFUSALS.get(error.code or "") or _REFUSALS.get(parameter)
        return RefundDenied(code or "stripe_refused")
    except stripe.APIError:
        return Unresolved()
    return _read(body)


async def fetch_refund(
    stripe_gateway: StripeGateway, account: str, refund: str
) -> Refund | Missing | AccessRevoked:
    """The refund `re_…` or `pyr_…` with its charge and balance transactions."""
    try:
        return _read(
            await stripe_gateway.ask("get", f"/v1/refunds/{refund}", account, expand=_EXPAND)
        )
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)


async def list_refunds(
    stripe_gateway: StripeGateway, account: str, charge: str
) -> list[Refund] | Missing | AccessRevoked:
    """All refunds of a charge, newest first: a list is current at once, unlike a search."""
    found: list[Refund] = []
    page: dict[str, Any] = {}
    try:
        while True:
            body = await stripe_gateway.ask(
                "get",
                "/v1/refunds",
                account,
                charge=charge,
                limit=_PAGE,
                expand=[f"data.{name}" for name in _EXPAND],
                **page,
            )
            found += map(_read, body["data"])
            if not body["has_more"]:
                return found
            page = {"starting_after": found[-1].id}
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)


def _read(body: Mapping[str, Any]) -> Refund:
    try:
        return read_refund(body)
    except AmountNotRepresentableError as error:
        raise Refused("currency_not_supported", str(error)) from error


def read_refund(body: Mapping[str, Any]) -> Refund:
    """A refund with its charge and balance transactions expanded, or not."""
    currency = body["currency"].upper()
    charge = body.get("charge")
    return Refund(
        id=body["id"],
        created=read_time(body["created"]),
        status=body["status"] or "pending",
        amount_minor=from_stripe(body["amount"], currency),
        currency=currency,
        reason=body.get("reason"),
        why=body.get("failure_reason") or body.get("pending_reason"),
        refund=(body.get("metadata") or {}).get("refund"),
        charge=read_paid_charge(charge) if isinstance(charge, Mapping) else None,
        balance_transaction=_moved(body.get("balance_transaction")),
        failure_balance_transaction=_moved(body.get("failure_balance_transaction")),
    )


def _moved(body: object) -> BalanceTransaction | None:
    return read_balance_transaction(body) if isinstance(body, Mapping) else None
