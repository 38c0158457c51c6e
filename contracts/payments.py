"""Payments: what became of the attempt to collect a donation."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.donations import DonationRequested, PaymentMethodId
from contracts.message import Body, CallerId, DonationId, FundId, StripeId
from contracts.money import AmountMinor

FailureCode = Literal[
    "card_declined",
    "account_unavailable",
    "amount_not_accepted",
    "amount_too_small",
    "payment_method_not_accepted",
    "canceled",
    "too_many_attempts",
]
#: Tries to collect one gift count from 1.
AttemptNumber = Annotated[int, Field(strict=True, ge=1)]
SettlementCurrency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class PaymentAttemptRequested(Body):
    """Try again to collect a gift that is not paid, with another payment method.

    `payment_method` None: the donor confirms on the client.
    """

    donation: DonationId
    payment_method: PaymentMethodId | None
    requested_by: CallerId


class PaymentCancelRequested(Body):
    """Let a gift that is not paid never be paid. Stripe decides whether that is still possible."""

    donation: DonationId
    reason: Literal["canceled", "expired"]


class FeeLine(Body):
    """One line of what was taken off, in the settlement currency. `kind` is Stripe's word for it.

    Source: Stripe API, "The balance transaction object", `fee_details`.
    """

    kind: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    amount_minor: Annotated[int, Field(strict=True)]


class PaymentCaptured(Body):
    """The donor's money is on the organization's Stripe account.

    Every figure is read from Stripe's balance transaction, in minor units: `gross_minor` =
    `fee_minor` + `platform_fee_minor` + `net_minor`, in `settlement_currency` (ISO 4217). The donor
    was charged `donation.charge_amount_minor` in `donation.currency`. `fees` are the lines of all
    fees. `exchange_rate` is Stripe's, as decimal digits, when it converted. `fund` is where the
    money goes when `donation.fund` cannot hold the settlement currency.
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
    settlement_currency: SettlementCurrency
    captured_at: datetime
    fees: tuple[FeeLine, ...] = ()
    exchange_rate: Annotated[str, Field(pattern=r"^[0-9]{1,20}(\.[0-9]{1,40})?$")] | None = None
    fund: FundId | None = None


class PaymentFailed(Body):
    """The attempt ended without money; another one may follow.

    `decline_code` is Stripe's, when it gave one, as is the least charge with `amount_too_small`:
    `minimum_minor` in `minimum_currency`.
    """

    donation: DonationId
    amount_minor: AmountMinor
    code: FailureCode
    decline_code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None
    attempt: AttemptNumber = 1
    minimum_minor: AmountMinor | None = None
    minimum_currency: SettlementCurrency | None = None


class PaymentActionRequired(Body):
    """The donor must act: confirm on the client, or with their bank (3-D Secure)."""

    donation: DonationId
    payment_intent: StripeId
    attempt: AttemptNumber = 1


class PaymentProcessing(Body):
    """Stripe took the payment; the money is on its way, for days with a bank debit."""

    donation: DonationId
    payment_intent: StripeId
    attempt: AttemptNumber = 1


class PaymentClosed(Body):
    """The gift was not paid and never will be."""

    donation: DonationId
    reason: Literal["canceled", "expired"]
