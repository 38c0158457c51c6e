"""What a dispute leaves in the ledger, whatever states of it were seen."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.payments.objects import (
    CHARGE,
    ORIGIN,
    assert_balanced,
    balances,
    dispute,
    moved,
)
from workers.payments import decisions_disputes
from workers.payments.bookings import Booking

TAKEN = moved("txn_taken", -10_000, "dispute", fee=1500)
BACK = moved("txn_back", 10_000, "dispute_reversal", days=30)


def followed(*states: Any) -> tuple[list[Booking], decisions_disputes.Known]:
    """All entries after Stripe was seen in these states, each entry once."""
    known: decisions_disputes.Known | None = None
    made: dict[UUID, Booking] = {}
    for state in states:
        news, booked = decisions_disputes.learn(known, ORIGIN, state, CHARGE.created)
        known = news or known
        made |= {one.id: one for one in booked}
    assert known is not None
    return list(made.values()), known


TAKEN_USD = moved("txn_taken", -10_800, "dispute", fee=1500, currency="USD")
STORIES: dict[str, tuple[list[Any], dict[tuple[str, str], int]]] = {
    "lost: income pays for it": (
        [dispute("needs_response", TAKEN), dispute("lost", TAKEN)],
        {
            ("Assets:Stripe", "EUR"): -11_500,
            ("Expenses:DisputeFees", "EUR"): 1500,
            ("Income:Donations", "EUR"): 10_000,
        },
    ),
    "lost in another currency: income pays in the donor's": (
        [dispute("lost", TAKEN_USD)],
        {
            ("Assets:Stripe", "USD"): -12_300,
            ("Expenses:DisputeFees", "USD"): 1500,
            ("Equity:Conversion", "USD"): 10_800,
            ("Equity:Conversion", "EUR"): -10_000,
            ("Income:Donations", "EUR"): 10_000,
        },
    ),
    "lost, then won before the money is back: it is disputed again": (
        [dispute("lost", TAKEN), dispute("won", TAKEN)],
        {
            ("Assets:Stripe", "EUR"): -11_500,
            ("Expenses:DisputeFees", "EUR"): 1500,
            ("Assets:Disputed", "EUR"): 10_000,
        },
    ),
    "lost, then won after all": (
        [dispute("lost", TAKEN), dispute("won", TAKEN), dispute("won", TAKEN, BACK)],
        {("Assets:Stripe", "EUR"): -1500, ("Expenses:DisputeFees", "EUR"): 1500},
    ),
    "lost, won after all, all seen at once": (
        [dispute("lost", TAKEN), dispute("won", TAKEN, BACK)],
        {("Assets:Stripe", "EUR"): -1500, ("Expenses:DisputeFees", "EUR"): 1500},
    ),
    "won, seen late": (
        [dispute("won", TAKEN, BACK)],
        {("Assets:Stripe", "EUR"): -1500, ("Expenses:DisputeFees", "EUR"): 1500},
    ),
    "lost, won, lost again": (
        [dispute("lost", TAKEN), dispute("won", TAKEN), dispute("lost", TAKEN)],
        {
            ("Assets:Stripe", "EUR"): -11_500,
            ("Expenses:DisputeFees", "EUR"): 1500,
            ("Income:Donations", "EUR"): 10_000,
        },
    ),
    "won in part: the rest is lost": (
        [dispute("won", TAKEN, moved("txn_back", 4000, "dispute_reversal", days=30))],
        {
            ("Assets:Stripe", "EUR"): -7500,
            ("Expenses:DisputeFees", "EUR"): 1500,
            ("Income:Donations", "EUR"): 6000,
        },
    ),
    "prevented without money": ([dispute("prevented")], {}),
    "more than the gift": (
        [
            dispute(
                "lost",
                moved("txn_taken", -12_000, "dispute", fee=1500, currency="USD"),
                amount_minor=11_000,
            )
        ],
        {
            ("Assets:Stripe", "USD"): -13_500,
            ("Expenses:DisputeFees", "USD"): 1500,
            ("Equity:Conversion", "USD"): 12_000,
            ("Equity:Conversion", "EUR"): -11_000,
            ("Income:Donations", "EUR"): 11_000,
        },
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_what_a_dispute_leaves(story: tuple[list[Any], dict[tuple[str, str], int]]) -> None:
    states, expected = story
    made, _ = followed(*states)
    assert balances(made) == expected
    again, _ = followed(*[state for state in states for _ in range(2)])
    assert {one.id for one in again} == {one.id for one in made}


amounts = st.integers(min_value=1, max_value=10**10)
fees = st.integers(min_value=-(10**6), max_value=10**6)
currencies = st.sampled_from(["EUR", "USD", "JPY"])


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """The states of one dispute as its movements come, each perhaps seen several times."""
    currency = draw(currencies)
    amount = draw(amounts)
    movements: list[Any] = []
    states: list[Any] = []
    for number in range(draw(st.integers(min_value=0, max_value=2))):
        settled = amount if currency == "EUR" else draw(amounts)
        movement = moved(
            f"txn_{number}",
            settled if number else -settled,
            "dispute_reversal" if number else "dispute",
            fee=draw(fees),
            currency=currency,
            days=number,
        )
        movements.append(movement)
        for status in draw(st.lists(st.sampled_from(["needs_response", "lost", "won"]))):
            states.append(dispute(status, *movements, amount_minor=amount))
    final = draw(st.sampled_from(["lost", "won", "needs_response", "prevented"]))
    return [*states, dispute(final, *movements, amount_minor=amount)]


@given(states=histories())
def test_every_history_of_a_dispute_balances_and_loses_no_money(states: list[Any]) -> None:
    made, known = followed(*states)
    assert_balanced(made)
    last = states[-1]
    for movement in last.balance_transactions:
        total = sum(one.net_minor for one in last.balance_transactions)
        assert balances(made).get(("Assets:Stripe", movement.currency), 0) == total
    disputed = {key: value for key, value in balances(made).items() if key[0] == "Assets:Disputed"}
    is_open = last.status == "needs_response" or last.status == "won"
    assert not disputed or is_open
    assert all(amount > 0 for amount in disputed.values()) or known.written_off.settled_minor
