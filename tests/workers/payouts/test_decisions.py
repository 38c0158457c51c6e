"""Entries of payouts, their failures, and fees of whole accounts: the figures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.workers.bench import new
from tests.workers.payouts.scenes import lines
from workers.gateways.stripe_balance import BalanceLine, Origin
from workers.gateways.stripe_payouts import Payout
from workers.payouts import decisions
from workers.payouts.decisions import Owner
from workers.payouts.looking import foreign_reason

ONE, TWO = sorted([new("fund"), new("fund")])
CREATED = datetime(2027, 1, 2, tzinfo=UTC)
OWNER = Owner("public_full", 365, {"EUR": ONE})
LINE = BalanceLine("txn_1", "payout", "po_1", "EUR", -9000, 0, -9000, CREATED)
BACK = BalanceLine("txn_2", "payout_reversal", "po_1", "EUR", 9000, 0, 9000, CREATED)
PAYOUT = Payout("po_1", CREATED, "paid", True, CREATED, None, LINE, None)
BANK, STRIPE, FEES = "Assets:Bank", "Assets:Stripe", "Expenses:ProcessorFees"


def test_the_fee_of_a_payout_is_borne_in_proportion() -> None:
    charged = replace(PAYOUT, line=replace(LINE, fee_minor=90, net_minor=-9090))
    shares = {ONE: 6060, TWO: 3030}
    booked = decisions.book_payout("acct_1", charged, OWNER, shares, "itemised")
    assert lines(booked.entry) == {
        (BANK, ONE): 6000,
        (FEES, ONE): 60,
        (STRIPE, ONE): -6060,
        (BANK, TWO): 3000,
        (FEES, TWO): 30,
        (STRIPE, TWO): -3030,
    }
    for row in booked.movements:
        assert row.net_minor == row.amount_minor - row.fee_minor
    assert sum(row.amount_minor for row in booked.movements) == -9000


@pytest.mark.parametrize("returned", [9000, 9090, 8990])
def test_a_failure_takes_from_the_bank_what_the_payout_put_there(returned: int) -> None:
    charged = replace(
        PAYOUT,
        status="failed",
        line=replace(LINE, fee_minor=90, net_minor=-9090),
        failure_line=replace(BACK, amount_minor=returned, net_minor=returned),
    )
    shares = {ONE: 6060, TWO: 3030}
    booked = decisions.book_failure("acct_1", charged, OWNER, shares, "itemised")
    sides = lines(booked.entry)
    assert (sides[BANK, ONE], sides[BANK, TWO]) == (-6000, -3000)
    assert sides[STRIPE, ONE] + sides[STRIPE, TWO] == returned
    paid = decisions.book_payout("acct_1", charged, OWNER, shares, "itemised")
    assert booked.entry.ref == decisions.entry_id(paid.id) != decisions.entry_id(booked.id)


def test_delayed_organizations_show_payouts_later() -> None:
    owner = replace(OWNER, visibility="delayed_public", public_after_days=30)
    entry = decisions.book_payout("acct_1", PAYOUT, owner, {ONE: 9000}, "itemised").entry
    assert entry.public_after == CREATED + timedelta(days=30)


def test_a_fee_of_the_account_is_borne_by_the_default_fund() -> None:
    line = BalanceLine("txn_3", "fee", "", "EUR", -250, 0, -250, CREATED)
    booked = decisions.book_fee("acct_1", line, OWNER, ONE)
    assert lines(booked.entry) == {(FEES, ONE): 250, (STRIPE, ONE): -250}
    assert booked.entry.kind == "fee" and booked.entry.details is not None
    assert booked.entry.details["rule"] == "default_fund"


@pytest.mark.parametrize(
    ("category", "source", "is_of_the_account"),
    [
        ("fee", "", True),
        ("other_adjustment", "fee_1", True),
        ("charge", "ch_1", False),
        ("dispute", "dp_1", False),
        ("refund", "re_1", False),
        ("payout", "po_1", False),
        ("payout_reversal", "po_1", False),
    ],
)
def test_who_books_a_line(category: str, source: str, is_of_the_account: bool) -> None:
    line = replace(LINE, category=category, source=source)
    assert decisions.is_account_level(line) is is_of_the_account


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (Origin(None, None), "foreign"),
        (Origin("an order", "org_1"), "foreign"),
        (Origin(new("don"), "org_1"), None),
        (Origin(new("don"), "org_2"), "account_mismatch"),
    ],
)
def test_whose_charge_it_is(origin: Origin, reason: str | None) -> None:
    assert foreign_reason(origin, "org_1") == reason
