"""Entries from captured payments: balanced per currency and fund, exact to the cent."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.donations import SealedDonor
from contracts.fees import charge_for, schedule_of
from contracts.identifiers import caused_id
from contracts.payments import FeeLine, PaymentCaptured
from tests.workers.bench import Bench, gift, message, new
from topics.registry import ENTRIES_REQUESTED, PAYMENTS_CAPTURED
from workers.fees import decisions
from workers.fees.worker import WORKER
from workers.runtime.worker import Refused

ORGANIZATION, FUND = new("org"), new("fund")
DONOR = SealedDonor(profile=new("prof"), seal="ab" * 32, opening="AAAA")


def captured(
    fee_minor: int, platform_fee_minor: int = 0, settled: str = "EUR", **changes: Any
) -> PaymentCaptured:
    promised = gift(ORGANIZATION, FUND, **changes).body
    gross_minor = promised.charge_amount_minor
    return PaymentCaptured(
        donation=promised,
        account="acct_1",
        payment_intent="pi_1",
        charge="ch_1",
        balance_transaction="txn_1",
        gross_minor=gross_minor,
        fee_minor=fee_minor,
        platform_fee_minor=platform_fee_minor,
        net_minor=gross_minor - fee_minor - platform_fee_minor,
        settlement_currency=settled,
        captured_at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def lines(fact: PaymentCaptured) -> list[tuple[str, str, str]]:
    return [(p.account, p.amount, p.currency) for p in decisions.postings(fact)]


def test_gift_in_the_accounts_currency() -> None:
    assert lines(captured(63)) == [
        ("Assets:Stripe", "2437", "EUR"),
        ("Expenses:ProcessorFees", "63", "EUR"),
        ("Income:Donations", "-2500", "EUR"),
    ]


def test_platform_fee_and_no_processor_fee() -> None:
    assert lines(captured(0, 100)) == [
        ("Assets:Stripe", "2400", "EUR"),
        ("Expenses:PlatformFees", "100", "EUR"),
        ("Income:Donations", "-2500", "EUR"),
    ]


def test_gift_that_stripe_converted_shows_the_donors_currency_on_income_and_conversion_only() -> (
    None
):
    fact = captured(71, settled="CHF", currency="EUR").model_copy(
        update={"gross_minor": 2391, "net_minor": 2320}
    )
    assert lines(fact) == [
        ("Assets:Stripe", "2320", "CHF"),
        ("Expenses:ProcessorFees", "71", "CHF"),
        ("Equity:Conversion", "-2391", "CHF"),
        ("Equity:Conversion", "2500", "EUR"),
        ("Income:Donations", "-2500", "EUR"),
    ]


def test_fee_as_large_as_the_gift_leaves_out_the_zero_line() -> None:
    assert [account for account, _, _ in lines(captured(2500))] == [
        "Expenses:ProcessorFees",
        "Income:Donations",
    ]


@given(
    charged=st.integers(1, 10**12),
    gross=st.integers(1, 10**12),
    fee=st.integers(0, 10**6),
    platform_fee=st.integers(0, 10**6),
    settled=st.sampled_from(["EUR", "CHF"]),
)
def test_every_entry_balances_per_currency(
    charged: int, gross: int, fee: int, platform_fee: int, settled: str
) -> None:
    gross = charged if settled == "EUR" else gross
    fact = captured(
        fee,
        platform_fee,
        settled,
        amount_minor=charged,
        charge_amount_minor=charged,
    ).model_copy(update={"gross_minor": gross, "net_minor": gross - fee - platform_fee})
    sums: dict[str, int] = defaultdict(int)
    postings = decisions.postings(fact)
    for posting in postings:
        sums[posting.currency] += int(posting.amount)
        assert posting.fund == FUND
    assert len(postings) >= 2
    assert set(sums.values()) == {0}


@pytest.mark.parametrize("change", [{"net_minor": 2438}, {"gross_minor": 2400, "net_minor": 2337}])
def test_figures_that_do_not_add_up_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(Refused) as refused:
        decisions.postings(captured(63).model_copy(update=change))
    assert refused.value.code == "balance_mismatch"


def test_entry_carries_the_gifts_visibility_donor_and_places_to_look() -> None:
    after = datetime(2028, 1, 1, tzinfo=UTC)
    fact = captured(
        63, visibility="delayed_public", public_after=after, donor=DONOR, covers_fee=True
    )
    entry = decisions.donation_entry(fact)
    assert (entry.visibility, entry.public_after, entry.donor) == ("delayed_public", after, DONOR)
    assert entry.subject == fact.donation.donation
    assert entry.details == {
        "donation": fact.donation.donation,
        "occurred": "2027-01-02T03:04:05.000000Z",
        "gift_minor": 2500,
        "covers_fee": True,
        "collected_by": fact.donation.collected_by,
        "account": "acct_1",
        "payment_intent": "pi_1",
        "charge": "ch_1",
        "balance_transaction": "txn_1",
    }


def test_every_line_of_the_fee_is_told_and_taxes_are_an_expense_too() -> None:
    taken = [("stripe_fee", 60), ("tax", 8), ("application_fee", 25), ("tax", 3)]
    lines_of_fee = tuple(FeeLine(kind=kind, amount_minor=amount) for kind, amount in taken)
    fact = captured(71, 25).model_copy(update={"fees": lines_of_fee})
    assert lines(fact) == [
        ("Assets:Stripe", "2404", "EUR"),
        ("Expenses:ProcessorFees", "71", "EUR"),
        ("Expenses:PlatformFees", "25", "EUR"),
        ("Income:Donations", "-2500", "EUR"),
    ]
    assert decisions.details(fact)["fees"] == {"stripe_fee": 60, "tax": 11, "application_fee": 25}


def test_money_for_another_fund_than_wished_is_booked_there_with_its_rate() -> None:
    other = new("fund")
    fact = captured(71, settled="USD").model_copy(
        update={"gross_minor": 2700, "net_minor": 2629, "exchange_rate": "1.08", "fund": other}
    )
    assert {posting.fund for posting in decisions.postings(fact)} == {other}
    told = decisions.details(fact)
    assert (told["exchange_rate"], told["fund_wished"]) == ("1.08", FUND)


def test_three_covered_gifts_of_one_euro_are_three_euros_given_and_all_figures_add_up() -> None:
    """Case C-25: what was meant to be given, cover, fee and gross are figures of their own."""
    charged = charge_for(100, "EUR")
    fee = schedule_of("EUR").fee_minor(charged)
    facts = [
        captured(fee, amount_minor=100, charge_amount_minor=charged, covers_fee=True)
        for _ in range(3)
    ]
    details = [decisions.details(fact) for fact in facts]
    assert sum(each["gift_minor"] for each in details) == 300
    assert all(each["covers_fee"] for each in details)
    sums: dict[str, int] = defaultdict(int)
    for fact in facts:
        for account, amount, _ in lines(fact):
            sums[account] += int(amount)
    assert (sums["Assets:Stripe"], sums["Income:Donations"]) == (300, -3 * charged)
    assert sums["Expenses:ProcessorFees"] == 3 * (charged - 100) == 3 * 27


async def test_worker_requests_one_entry_for_each_payment_once(bench: Bench) -> None:
    facts = [message(PAYMENTS_CAPTURED, ORGANIZATION, captured(63)) for _ in range(3)]
    sent = await bench.settle(WORKER, None, [*facts, *facts])
    assert [each.id for each in sent] == [
        caused_id(fact.id, ENTRIES_REQUESTED.name) for fact in facts
    ]
    assert await bench.settle(WORKER, None, facts) == []
