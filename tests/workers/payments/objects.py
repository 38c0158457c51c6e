"""Makers of what Stripe shows of charges, refunds and disputes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.workers.bench import gift, new
from workers.gateways.stripe_charges import PaidCharge
from workers.gateways.stripe_disputes import Dispute
from workers.gateways.stripe_objects import BalanceTransaction
from workers.gateways.stripe_refunds import Refund
from workers.payments.bookings import Booking, Origin

CREATED = datetime(2027, 1, 1, tzinfo=UTC)
ORGANIZATION, FUND = new("org"), new("fund")
GIFT = gift(ORGANIZATION, FUND, amount_minor=10_000, charge_amount_minor=10_000).body
CHARGE = PaidCharge(
    id="ch_1",
    created=CREATED,
    amount_minor=10_000,
    refunded_minor=0,
    currency="EUR",
    has_platform_fee=False,
    payment_intent="pi_1",
    donation=GIFT.donation,
    organization=ORGANIZATION,
    method="card",
)
ORIGIN = Origin(ORGANIZATION, "acct_1", GIFT, CHARGE)


def moved(
    identifier: str,
    amount: int,
    category: str,
    *,
    fee: int = 0,
    platform_fee: int = 0,
    currency: str = "EUR",
    days: int = 1,
) -> BalanceTransaction:
    return BalanceTransaction(
        id=identifier,
        currency=currency,
        amount_minor=amount,
        fee_minor=fee,
        platform_fee_minor=platform_fee,
        net_minor=amount - fee - platform_fee,
        created=CREATED + timedelta(days=days),
        category=category,
    )


def refund(status: str = "succeeded", amount: int = 3000, **changes: Any) -> Refund:
    values: dict[str, Any] = {
        "id": "re_1",
        "created": CREATED + timedelta(days=1),
        "status": status,
        "amount_minor": amount,
        "currency": "EUR",
        "reason": "requested_by_customer",
        "why": None,
        "refund": None,
        "charge": CHARGE,
        "balance_transaction": moved("txn_refund", -amount, "refund"),
        "failure_balance_transaction": None,
    }
    return Refund(**values | changes)


def dispute(status: str, *movements: BalanceTransaction, **changes: Any) -> Dispute:
    values: dict[str, Any] = {
        "id": "dp_1",
        "created": CREATED + timedelta(days=1),
        "status": status,
        "reason": "fraudulent",
        "amount_minor": 10_000,
        "currency": "EUR",
        "is_charge_refundable": False,
        "evidence_due": None,
        "charge": CHARGE,
        "balance_transactions": movements,
    }
    return Dispute(**values | changes)


def lines(booking: Booking) -> list[tuple[str, int, str]]:
    assert booking.entry.postings is not None
    return [(one.account, int(one.amount), one.currency) for one in booking.entry.postings]


def balances(made: list[Booking]) -> dict[tuple[str, str], int]:
    """What each account and currency holds after these entries, without what is zero."""
    sums: dict[tuple[str, str], int] = {}
    for booking in made:
        for account, amount, currency in lines(booking):
            sums[account, currency] = sums.get((account, currency), 0) + amount
    return {key: amount for key, amount in sums.items() if amount}


def assert_balanced(made: list[Booking]) -> None:
    """By itself, each entry sums to zero per currency, and has at least two postings."""
    for booking in made:
        sums: dict[str, int] = {}
        for _, amount, currency in lines(booking):
            assert amount
            sums[currency] = sums.get(currency, 0) + amount
        assert len(lines(booking)) >= 2
        assert set(sums.values()) == {0}
