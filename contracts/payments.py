"""Payments: what became of the attempt to collect a donation."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.donations import DonationRequested
from contracts.message import Body, DonationId, StripeId
from contracts.money import AmountMinor

FailureCode = Literal[
    "card_declined",
    "account_unavailable",
    "amount_not_accepted",
    "payment_method_not_accepted",
    "canceled",
]


class PaymentCaptured(Body):
    """The donor's money is on the organization's Stripe account.

    Every figure is read from Stripe's balance transaction, in minor units: `gross_minor` =
    `fee_minor` + `platform_fee_minor` + `net_minor`, in `settlement_currency` (ISO 4217). The donor
    was charged `donation.charge_amount_minor` in `donation.currency`.
    """

    donation: DonationRequested
    account: StripeId
    payment_intent: StripeId
    charge: StripeId
    balance_transaction: StripeId
    gross_minor: Annotated[int, Field(strict=True, gt=0)]
    fee_minor: Annotated[int, Field(strict=True, ge=0)]
    platform_fee_minor: Annotated[int, Field(strict=True, ge=0)]
    net_minor: Annotated[int, Field(strict=True)]
    settlement_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    captured_at: datetime


class PaymentFailed(Body):
    """The attempt ended without money. `decline_code` is Stripe's, when it gave one."""

    donation: DonationId
    amount_minor: AmountMinor
    code: FailureCode
    decline_code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None


class PaymentActionRequired(Body):
    """The donor must confirm with their bank (3-D Secure) before the payment can go on."""

    donation: DonationId
    payment_intent: StripeId


class PaymentProcessing(Body):
    """Stripe took the payment; the money is on its way to the organization's balance."""

    donation: DonationId
    payment_intent: StripeId
