"""Refunds and disputes as entries: Stripe's own figures, balanced, in any currency."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.payments.objects import (
    CHARGE,
    GIFT,
    ORIGIN,
    assert_balanced,
    balances,
    dispute,
    lines,
    moved,
    refund,
)
from workers.gateways.stripe_objects import Charge
from workers.payments import facts
from workers.payments.bookings import WrittenOff, adjustment, of_dispute, of_refund
from workers.runtime.worker import Refused

TAKEN = moved("txn_taken", -10_000, "dispute", fee=1500)
BACK = moved("txn_back", 10_000, "dispute_reversal", days=30)


def test_a_gifts_entry_has_the_id_that_its_capture_gives_it() -> None:
    charge = Charge(CHARGE.id, CHARGE.created, None)
    assert ORIGIN.entry == facts.donation_entry("acct_1", charge)


def test_a_refund_takes_from_income_and_leaves_the_processors_fee_an_expense() -> None:
    [made] = of_refund(ORIGIN, refund(), "rfd_1")
    assert lines(made) == [("Assets:Stripe", -3000, "EUR"), ("Income:Donations", 3000, "EUR")]
    assert (made.entry.kind, made.entry.ref, made.entry.subject) == (
        "refund",
        ORIGIN.entry,
        "rfd_1",
    )
    assert made.entry.visibility == GIFT.visibility
    assert made.entry.details is not None
    assert made.entry.details["stripe_refund"] == "re_1"
    assert made.entry.details["balance_transaction"] == "txn_refund"


REFUND_CASES: dict[str, tuple[Any, list[tuple[str, int, str]]]] = {
    "a fee on the refund is an expense": (
        refund(balance_transaction=moved("t", -3000, "refund", fee=40)),
        [
            ("Assets:Stripe", -3040, "EUR"),
            ("Expenses:ProcessorFees", 40, "EUR"),
            ("Income:Donations", 3000, "EUR"),
        ],
    ),
    "a platform fee that comes back reduces that expense": (
        refund(balance_transaction=moved("t", -3000, "refund", platform_fee=-90)),
        [
            ("Assets:Stripe", -2910, "EUR"),
            ("Expenses:PlatformFees", -90, "EUR"),
            ("Income:Donations", 3000, "EUR"),
        ],
    ),
    "another settlement currency is converted": (
        refund(balance_transaction=moved("t", -3240, "refund", currency="USD")),
        [
            ("Assets:Stripe", -3240, "USD"),
            ("Equity:Conversion", 3240, "USD"),
            ("Equity:Conversion", -3000, "EUR"),
            ("Income:Donations", 3000, "EUR"),
        ],
    ),
}


@pytest.mark.parametrize("case", REFUND_CASES.values(), ids=REFUND_CASES.keys())
def test_postings_of_a_refund(case: tuple[Any, list[tuple[str, int, str]]]) -> None:
    seen, expected = case
    [made] = of_refund(ORIGIN, seen, "rfd_1")
    assert lines(made) == expected


def test_a_refund_that_waits_for_money_books_nothing() -> None:
    assert of_refund(ORIGIN, refund("pending", balance_transaction=None), "rfd_1") == []


def test_a_refund_that_failed_later_gives_all_back_in_an_entry_of_its_own() -> None:
    failed = refund(
        "failed", failure_balance_transaction=moved("txn_fail", 3000, "refund_failure", days=5)
    )
    first, second = of_refund(ORIGIN, failed, "rfd_1")
    assert (second.entry.kind, second.entry.ref) == ("refund_failed", first.entry_id)
    assert balances([first, second]) == {}
    # The first entry is the same whether the failure was seen or not.
    assert of_refund(ORIGIN, refund(), "rfd_1")[0].id == first.id


def test_a_refund_whose_movement_is_about_another_amount_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        of_refund(ORIGIN, refund(balance_transaction=moved("t", -2900, "refund")), "rfd_1")
    assert caught.value.code == "balance_mismatch"


def test_two_refunds_of_one_charge_are_two_entries() -> None:
    other = refund(id="re_2", amount=2000, balance_transaction=moved("t2", -2000, "refund"))
    [one], [two] = of_refund(ORIGIN, refund(), "rfd_1"), of_refund(ORIGIN, other, "rfd_2")
    assert one.id != two.id
    assert balances([one, two]) == {
        ("Assets:Stripe", "EUR"): -5000,
        ("Income:Donations", "EUR"): 5000,
    }


def test_an_inquiry_books_nothing() -> None:
    booked = of_dispute(ORIGIN, dispute("warning_needs_response"), "dsp_1")
    assert (booked.movements, booked.open_minor) == ([], 0)
    closed = dispute("warning_closed")
    made, _ = adjustment(ORIGIN, closed, of_dispute(ORIGIN, closed, "dsp_1"), WrittenOff(), "dsp_1")
    assert made is None


def test_a_withdrawal_is_disputed_money_and_a_fee() -> None:
    [made] = of_dispute(ORIGIN, dispute("needs_response", TAKEN), "dsp_1").movements
    assert lines(made) == [
        ("Assets:Stripe", -11_500, "EUR"),
        ("Expenses:DisputeFees", 1500, "EUR"),
        ("Assets:Disputed", 10_000, "EUR"),
    ]
    assert (made.entry.kind, made.entry.ref) == ("dispute_withdrawn", ORIGIN.entry)


def test_a_dispute_that_is_won_leaves_its_fee() -> None:
    taken, back = of_dispute(ORIGIN, dispute("won", TAKEN, BACK), "dsp_1").movements
    assert (back.entry.kind, back.entry.ref) == ("dispute_reinstated", taken.entry_id)
    assert balances([taken, back]) == {
        ("Assets:Stripe", "EUR"): -1500,
        ("Expenses:DisputeFees", "EUR"): 1500,
    }


def test_a_returned_dispute_fee_reduces_the_expense() -> None:
    back = moved("txn_back", 10_000, "dispute_reversal", fee=-1500, days=30)
    assert balances(of_dispute(ORIGIN, dispute("won", TAKEN, back), "dsp_1").movements) == {}


def test_what_the_rate_of_another_day_gives_back_more_is_conversion() -> None:
    taken = moved("txn_taken", -10_800, "dispute", fee=1500, currency="USD")
    back = moved("txn_back", 11_100, "dispute_reversal", currency="USD", days=30)
    made = of_dispute(ORIGIN, dispute("won", taken, back), "dsp_1").movements
    assert balances(made) == {
        ("Assets:Stripe", "USD"): -1200,
        ("Expenses:DisputeFees", "USD"): 1500,
        ("Equity:Conversion", "USD"): -300,
    }


def test_movements_are_booked_in_their_order_however_they_are_listed() -> None:
    listed = dispute("won", replace(BACK, created=TAKEN.created), TAKEN)
    kinds = [one.entry.kind for one in of_dispute(ORIGIN, listed, "dsp_1").movements]
    assert kinds == ["dispute_withdrawn", "dispute_reinstated"]


def test_a_movement_that_no_dispute_has_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        of_dispute(ORIGIN, dispute("lost", moved("t", -5, "transfer")), "dsp_1")
    assert caught.value.code == "unexpected_movement"


amounts = st.integers(min_value=1, max_value=10**10)
fees = st.integers(min_value=-(10**6), max_value=10**6)
currencies = st.sampled_from(["EUR", "USD", "JPY"])


@given(amount=amounts, settled=amounts, fee=fees, platform_fee=fees, currency=currencies)
def test_every_refund_balances_and_moves_what_stripe_moved(
    amount: int, settled: int, fee: int, platform_fee: int, currency: str
) -> None:
    settled = amount if currency == "EUR" else settled
    out = moved("t", -settled, "refund", fee=fee, platform_fee=platform_fee, currency=currency)
    back = moved("u", settled, "refund_failure", fee=fee, currency=currency)
    made = of_refund(
        ORIGIN,
        refund(amount=amount, balance_transaction=out, failure_balance_transaction=back),
        "rfd_1",
    )
    assert_balanced(made)
    assert balances(made).get(("Assets:Stripe", currency), 0) == out.net_minor + back.net_minor
    assert balances(made).get(("Income:Donations", "EUR"), 0) == 0
