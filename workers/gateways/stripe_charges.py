"""Charges as refunds and disputes see them: what was paid, and for which gift of ours."""

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

#: What an object that names a charge has expanded, so that one call is enough.
EXPANDED: Final = ("charge",)


@dataclass(frozen=True, slots=True)
class PaidCharge:
    """A charge. `donation` and `organization` are our metadata, which Stripe copies to it from its
    intent; None on somebody else's. `method` is Stripe's word for how it was paid.
    """

    id: str
    created: datetime
    amount_minor: int
    refunded_minor: int
    currency: str
    has_platform_fee: bool
    payment_intent: str | None
    donation: str | None
    organization: str | None
    method: str | None


async def fetch_charge(
    stripe_gateway: StripeGateway, account: str, charge: str
) -> PaidCharge | Missing | AccessRevoked:
    """The charge `ch_…` or `py_…`."""
    try:
        return read_paid_charge(await stripe_gateway.ask("get", f"/v1/charges/{charge}", account))
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)
    except AmountNotRepresentableError as error:
        raise Refused("currency_not_supported", str(error)) from error


def read_paid_charge(body: Mapping[str, Any]) -> PaidCharge:
    """A charge, its parts expanded or not."""
    currency = body["currency"].upper()
    metadata = body.get("metadata") or {}
    intent = body.get("payment_intent")
    return PaidCharge(
        id=body["id"],
        created=read_time(body["created"]),
        amount_minor=from_stripe(body["amount"], currency),
        refunded_minor=from_stripe(body["amount_refunded"], currency),
        currency=currency,
        has_platform_fee=bool(body.get("application_fee_amount")),
        payment_intent=intent["id"] if isinstance(intent, Mapping) else intent,
        donation=metadata.get("donation"),
        organization=metadata.get("organization"),
        method=(body.get("payment_method_details") or {}).get("type"),
    )
