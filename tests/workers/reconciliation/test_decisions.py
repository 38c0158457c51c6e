"""The classes of movements, as a table, and properties over any movements on two sides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.looks import PaymentLookRequested, PayoutLookRequested
from tests.workers.bench import new
from workers.gateways.stripe_listing import Movement, Source
from workers.reconciliation.comparison import Comparison, rows_of
from workers.reconciliation.decisions import (
    EXPLAINED,
    Booked,
    foreign_reason,
    judge,
    look_at,
    look_for_event,
    window_start,
)

AT = datetime(2027, 3, 1, 23, 30, tzinfo=UTC)
STRIPE = Movement("txn_1", AT, "charge", "EUR", 2500, 63, 2437, "ch_1", None)
BOOKED = Booked("txn_1", "EUR", 2500, 63, 2437, 2437, True, "charge", "ch_1", "ent_1", AT)
PAYOUT = replace(
    STRIPE, category="payout", source="po_1", amount_minor=-9, fee_minor=0, net_minor=-9
)


def payout(status: str) -> Movement:
    return replace(PAYOUT, object=Source("payout", status, None, None, None))


def debit(status: str, category: str = "charge") -> Movement:
    return replace(
        STRIPE, category=category, object=Source("charge", status, None, new("don"), None)
    )


@pytest.mark.parametrize(
    ("stripe", "booked", "foreign", "expected"),
    [
        (STRIPE, BOOKED, None, ("agreed", "")),
        (STRIPE, None, None, ("missing_here", "not_booked")),
        (STRIPE, replace(BOOKED, recorded_minor=None), None, ("missing_here", "not_recorded")),
        (STRIPE, None, "no_donation", ("foreign", "no_donation")),
        (STRIPE, BOOKED, "no_donation", ("agreed", "")),
        (None, BOOKED, None, ("missing_there", "not_at_stripe")),
        (STRIPE, replace(BOOKED, amount_minor=2501, net_minor=2438), None, ("differs", "figures")),
        (STRIPE, replace(BOOKED, fee_minor=62, amount_minor=2499), None, ("differs", "figures")),
        (STRIPE, replace(BOOKED, currency="USD"), None, ("differs", "figures")),
        (STRIPE, replace(BOOKED, recorded_minor=2436), None, ("differs", "entry")),
        (STRIPE, replace(BOOKED, entries_agree=False), None, ("differs", "entry")),
        (payout("pending"), None, None, ("in_transit", "pending")),
        (payout("in_transit"), None, None, ("in_transit", "in_transit")),
        (payout("paid"), None, None, ("missing_here", "not_booked")),
        (payout("failed"), None, None, ("missing_here", "not_booked")),
        (PAYOUT, None, None, ("missing_here", "not_booked")),
        (PAYOUT, None, "shared", ("foreign", "shared")),
        (debit("pending"), None, None, ("in_transit", "pending")),
        (debit("failed"), None, None, ("in_transit", "failed")),
        (debit("failed", "charge_failure"), None, None, ("in_transit", "failed")),
        (debit("succeeded"), None, None, ("missing_here", "not_booked")),
    ],
)
def test_class_of_a_movement(
    stripe: Movement | None, booked: Booked | None, foreign: str | None, expected: tuple[str, str]
) -> None:
    item = judge(stripe, booked, foreign)
    assert (item.of_class, item.reason) == expected


PAID = replace(BOOKED, amount_minor=-6, fee_minor=0, net_minor=-6, recorded_minor=-6)


@pytest.mark.parametrize(
    ("booked", "foreign_minor", "expected"),
    [
        (PAID, -3, ("foreign", "shared")),
        (PAID, -2, ("differs", "figures")),
        (PAID, 0, ("differs", "figures")),
        (replace(PAID, recorded_minor=None), -3, ("missing_here", "not_recorded")),
        (replace(PAID, recorded_minor=-5), -3, ("differs", "entry")),
    ],
)
def test_a_payout_of_money_of_several_shops(
    booked: Booked, foreign_minor: int, expected: tuple[str, str]
) -> None:
    item = judge(PAYOUT, booked, "shared", foreign_minor)
    assert (item.of_class, item.reason) == expected


OURS = Source("charge", "succeeded", None, new("don"), "org_1")


@pytest.mark.parametrize(
    ("charge", "reason"),
    [
        (OURS, None),
        (None, None),
        (replace(OURS, donation=None), "no_donation"),
        (replace(OURS, donation="order 17"), "no_donation"),
        (replace(OURS, organization="org_2"), "account_mismatch"),
        (replace(OURS, organization=None), "account_mismatch"),
    ],
)
def test_whose_a_charge_is(charge: Source | None, reason: str | None) -> None:
    assert foreign_reason(charge, "org_1") == reason


@pytest.mark.parametrize(
    ("source", "kind", "found"),
    [
        ("ch_1", PaymentLookRequested, "ch_1"),
        ("py_1", PaymentLookRequested, "py_1"),
        ("re_1", PaymentLookRequested, "re_1"),
        ("dp_1", PaymentLookRequested, "dp_1"),
        ("du_1", PaymentLookRequested, "du_1"),
        ("po_1", PayoutLookRequested, "po_1"),
        ("fee_1", PayoutLookRequested, "txn_1"),
        (None, PayoutLookRequested, "txn_1"),
    ],
)
def test_who_looks_at_what_is_missing_here(source: str | None, kind: Any, found: str) -> None:
    look = look_at("acct_1", judge(replace(STRIPE, source=source), None))
    assert look == kind(account="acct_1", object=found, reason="unbooked_movement")


def test_nobody_looks_at_what_a_look_cannot_heal() -> None:
    for stripe, booked, foreign in (
        (STRIPE, replace(BOOKED, recorded_minor=None), None),
        (STRIPE, replace(BOOKED, fee_minor=1), None),
        (None, BOOKED, None),
        (payout("pending"), None, None),
        (STRIPE, None, "no_donation"),
    ):
        assert look_at("acct_1", judge(stripe, booked, foreign)) is None


@pytest.mark.parametrize(
    ("event_type", "found", "expected"),
    [
        ("payment_intent.succeeded", "pi_1", PaymentLookRequested),
        ("charge.updated", "ch_1", PaymentLookRequested),
        ("charge.refunded", "ch_1", PaymentLookRequested),
        ("refund.failed", "re_1", PaymentLookRequested),
        ("charge.dispute.funds_withdrawn", "dp_1", PaymentLookRequested),
        ("payout.failed", "po_1", PayoutLookRequested),
        ("account.updated", "acct_1", str),
        ("account.application.deauthorized", "ca_1", str),
        ("capability.updated", "card_payments", str),
        ("balance.available", None, type(None)),
        ("customer.created", "cus_1", type(None)),
    ],
)
def test_what_an_undelivered_event_leads_to(
    event_type: str, found: str | None, expected: Any
) -> None:
    assert isinstance(look_for_event("acct_1", event_type, found), expected)


def test_the_frequent_run_covers_whole_days_back_to_what_is_open() -> None:
    newest = datetime(2027, 3, 20, 9, tzinfo=UTC)
    day = timedelta(days=1)
    assert window_start(newest, None) == datetime(2027, 3, 19, tzinfo=UTC)
    assert window_start(newest, newest - 5 * day) == datetime(2027, 3, 15, tzinfo=UTC)
    assert window_start(newest, newest - 400 * day) == datetime(2027, 3, 6, tzinfo=UTC)
    assert window_start(newest, newest) == datetime(2027, 3, 19, tzinfo=UTC)


MINOR = st.integers(-(10**12), 10**12)


@st.composite
def movements(draw: st.DrawFn, identifier: str) -> Movement:
    amount, fee = draw(MINOR), draw(MINOR)
    status = draw(st.sampled_from([None, "pending", "in_transit", "paid", "failed"]))
    return Movement(
        id=identifier,
        created=AT + timedelta(hours=draw(st.integers(-100, 100))),
        category=draw(st.sampled_from(["charge", "payout", "refund", "dispute", "fee"])),
        currency=draw(st.sampled_from(["EUR", "USD"])),
        amount_minor=amount,
        fee_minor=fee,
        net_minor=amount - fee,
        source=draw(st.sampled_from([None, "ch_1", "po_1", "re_1"])),
        object=Source("payout", status, None, None, None) if status else None,
    )


@st.composite
def booked_as(draw: st.DrawFn, stripe: Movement) -> Booked:
    """What was booked: as Stripe says, or doctored in any way."""
    amount = draw(st.sampled_from([stripe.amount_minor, draw(MINOR)]))
    fee = draw(st.sampled_from([stripe.fee_minor, draw(MINOR)]))
    return Booked(
        id=stripe.id,
        currency=draw(st.sampled_from([stripe.currency, "EUR", "CHF"])),
        amount_minor=amount,
        fee_minor=fee,
        net_minor=amount - fee,
        recorded_minor=draw(st.sampled_from([amount - fee, None, draw(MINOR)])),
        entries_agree=draw(st.booleans()),
        category=stripe.category,
        source=stripe.source or "",
        entry="ent_1",
        occurred_at=stripe.created,
    )


@st.composite
def two_sides(draw: st.DrawFn) -> list[tuple[Movement | None, Booked | None, str | None]]:
    sides: list[tuple[Movement | None, Booked | None, str | None]] = []
    for number in range(draw(st.integers(0, 8))):
        stripe = draw(movements(f"txn_{number}"))
        booked = draw(st.one_of(st.none(), booked_as(stripe)))
        is_there = booked is None or draw(st.booleans())
        sides.append((stripe if is_there else None, booked, draw(st.sampled_from([None, "shop"]))))
    return sides


@given(two_sides())
def test_any_movements_are_classified_and_their_sums_explained_to_the_cent(
    sides: list[tuple[Movement | None, Booked | None, str | None]],
) -> None:
    comparison = Comparison()
    items = [judge(*one) for one in sides]
    comparison.add(items)
    assert comparison.movements == len(sides)
    agreed = {item.id for item in items if item.of_class == "agreed"}
    assert agreed.isdisjoint(comparison.items) and len(agreed | set(comparison.items)) == len(sides)

    rows = [row for item in comparison.items.values() for row in rows_of(item)]
    assert len({row.subject for row in rows}) == len(rows)
    for currency in ("EUR", "USD", "CHF"):
        stripe = sum(one.net_minor for one, _, _ in sides if one and one.currency == currency)
        ledger = sum(
            one.recorded_minor or 0 for _, one, _ in sides if one and one.currency == currency
        )
        told = sum(
            (row.stripe[2] if row.stripe else 0) - (row.ledger[2] if row.ledger else 0)
            for row in rows
            if row.currency == currency
        )
        assert stripe == ledger + told
        lines = [figures for line, figures in comparison.days.items() if line.currency == currency]
        assert sum(one.stripe_net_minor for one in lines) == stripe
        assert sum(one.ledger_net_minor for one in lines) == ledger


@given(two_sides())
def test_nothing_is_agreed_that_is_not_the_same_on_both_sides(
    sides: list[tuple[Movement | None, Booked | None, str | None]],
) -> None:
    for stripe, booked, foreign in sides:
        item = judge(stripe, booked, foreign)
        if item.of_class == "agreed":
            assert stripe is not None and booked is not None
            assert stripe.net_minor == booked.net_minor == booked.recorded_minor
            assert (stripe.currency, stripe.fee_minor) == (booked.currency, booked.fee_minor)
        elif item.of_class in EXPLAINED:
            assert stripe is not None and booked is None
