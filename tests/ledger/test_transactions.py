"""What entries mean in people's words adds up to what each fund holds."""

from collections import Counter
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amply_verify.money import parse_postings
from ledger.accounts import ACCOUNTS, ASSETS
from ledger.projection import StoredEntry
from ledger.transactions import CONVERSION, TYPES, WORDS, transactions_of
from tests.ledger.making import NOON, name

FUND, OTHER = name("fund", "wells"), name("fund", "schools")


def told(
    kind: str, *lines: tuple[str, int, str, str], ref: str | None = None, **details: Any
) -> list[Any]:
    fields = {"money": {}, "details": details} | ({"ref": ref} if ref else {})
    entry = StoredEntry(
        7, name("org", 1), 3, name("ent", 1), kind, orjson.dumps(fields), b"", None, NOON
    )
    money = {
        "postings": [
            {"account": account, "amount": str(amount), "currency": currency, "fund": fund}
            for account, amount, currency, fund in lines
        ]
    }
    return transactions_of(entry, parse_postings(money).amounts_minor, None)


def words(*lines: tuple[str, int, str, str], kind: str) -> dict[tuple[str, str], int]:
    return {(one.fund, one.type): one.amount_minor for one in told(kind, *lines)}


def test_every_account_has_its_words() -> None:
    assert set(WORDS) | {CONVERSION} == {name for name in ACCOUNTS if not name.startswith(ASSETS)}
    assert set(TYPES) == {
        *("donation", "grant", "transfer_in", "refund_received", "interest"),
        *("expense", "grant_out", "transfer_out", "refund_issued", "fee"),
    }


def test_a_gift_and_its_fees_are_told_apart() -> None:
    lines = [
        ("Assets:Stripe", 2437, "EUR", FUND),
        ("Expenses:ProcessorFees", 50, "EUR", FUND),
        ("Expenses:PlatformFees", 13, "EUR", FUND),
        ("Income:Donations", -2500, "EUR", FUND),
    ]
    gift, fee = told("donation", *lines, campaign="camp_1", occurred="2027-02-28T00:00:00.000000Z")
    assert (gift.type, gift.amount_minor, gift.campaign) == ("donation", 2500, "camp_1")
    assert (fee.type, fee.amount_minor, fee.occurred) == ("fee", -63, "2027-02-28T00:00:00.000000Z")
    assert gift.id != fee.id
    assert gift.at == 7
    assert gift.recorded_at == datetime.fromisoformat("2027-03-01T12:00:00Z")


def test_a_gift_in_another_currency_counts_as_it_was_settled() -> None:
    found = told(
        "donation",
        ("Assets:Stripe", 8900, "EUR", FUND),
        ("Expenses:ProcessorFees", 300, "EUR", FUND),
        ("Equity:Conversion", -9200, "EUR", FUND),
        ("Equity:Conversion", 10000, "USD", FUND),
        ("Income:Donations", -10000, "USD", FUND),
    )
    amounts = {one.type: (one.amount_minor, one.currency) for one in found}
    assert amounts == {"donation": (9200, "EUR"), "fee": (-300, "EUR")}


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("payout", [("Assets:Bank", 500, FUND), ("Assets:Stripe", -500, FUND)], {}),
        (
            "dispute_withdrawn",
            [
                ("Assets:Stripe", -2520, FUND),
                ("Assets:Disputed", 2500, FUND),
                ("Expenses:DisputeFees", 20, FUND),
            ],
            {(FUND, "fee"): -20},
        ),
        (
            "adjustment",
            [("Assets:Disputed", -2500, FUND), ("Income:Donations", 2500, FUND)],
            {(FUND, "refund_issued"): -2500},
        ),
        (
            "refund",
            [
                ("Assets:Stripe", -990, FUND),
                ("Income:Donations", 1000, FUND),
                ("Expenses:PlatformFees", -10, FUND),
            ],
            {(FUND, "refund_issued"): -1000, (FUND, "fee"): 10},
        ),
        (
            "refund_failed",
            [("Assets:Stripe", 1000, FUND), ("Income:Donations", -1000, FUND)],
            {(FUND, "refund_issued"): 1000},
        ),
        (
            "allocation",
            [
                ("Assets:Bank", -100, FUND),
                ("Equity:Allocations", 100, FUND),
                ("Assets:Bank", 100, OTHER),
                ("Equity:Allocations", -100, OTHER),
            ],
            {(FUND, "transfer_out"): -100, (OTHER, "transfer_in"): 100},
        ),
        (
            "expense",
            [("Assets:Bank", -100, FUND), ("Expenses:Program:Wells", 100, FUND)],
            {(FUND, "expense"): -100},
        ),
        (
            "adjustment",
            [("Assets:Bank", 100, FUND), ("Expenses:Program:Wells", -100, FUND)],
            {(FUND, "refund_received"): 100},
        ),
        (
            "grant",
            [("Assets:Bank", 100, FUND), ("Income:Grants", -100, FUND)],
            {(FUND, "grant"): 100},
        ),
        (
            "interest",
            [("Assets:Bank", 7, FUND), ("Income:Interest", -7, FUND)],
            {(FUND, "interest"): 7},
        ),
    ],
)
def test_what_each_movement_is_called(
    kind: str, lines: list[tuple[str, int, str]], expected: dict[tuple[str, str], int]
) -> None:
    spelled = [(account, amount, "EUR", fund) for account, amount, fund in lines]
    assert words(*spelled, kind=kind) == expected


OTHERS = sorted({*WORDS, CONVERSION, "Expenses:Program:Wells"})
SIDES = st.lists(
    st.tuples(
        st.sampled_from(OTHERS), st.integers(-(10**12), 10**12), st.sampled_from([FUND, OTHER])
    ),
    max_size=8,
)


@given(
    sides=SIDES,
    kind=st.sampled_from(["donation", "refund", "adjustment", "allocation", "expense", "grant"]),
    exchanged=st.integers(-(10**9), 10**9),
)
def test_they_sum_up_to_what_the_assets_of_each_fund_changed_by(
    sides: list[tuple[str, int, str]], kind: str, exchanged: int
) -> None:
    lines = [(account, amount, "EUR", fund) for account, amount, fund in sides if amount]
    assets: Counter[str] = Counter()
    for _, amount, _, fund in lines:
        assets[fund] -= amount
    lines += [("Assets:Bank", amount, "EUR", fund) for fund, amount in assets.items() if amount]
    if exchanged:
        lines += [
            ("Income:Donations", -exchanged, "USD", FUND),
            ("Equity:Conversion", exchanged, "USD", FUND),
        ]
    if len(lines) < 2:
        return
    changes: Counter[str] = Counter()
    found = told(kind, *lines)
    for one in found:
        changes[one.fund] += one.amount_minor
    # A fund whose assets did not move may have lines without any: they say nothing of it.
    assert {fund: n for fund, n in changes.items() if n} == {f: n for f, n in assets.items() if n}
    assert len({(one.fund, one.type) for one in found}) == len(found)
