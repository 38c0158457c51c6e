import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amply_verify import tree
from amply_verify.entry import parse_entry
from ledger.batch import ClockBehindError
from ledger.decision import Decision
from ledger.entry import Request, spell_time
from tests.ledger.making import NOON, ORIGIN, Book, donation, genesis, name, postings, refund, seal

A, B, PLATFORM = (name("org", letter) for letter in "ABP")


@pytest.fixture
def book() -> Book:
    made = Book()
    made.decide([genesis(PLATFORM), genesis(A), genesis(B)])
    return made


def ids(decision: Decision) -> list[str]:
    return [entry.request.id for entry in decision.entries]


def test_entries_continue_log_and_chains(book: Book) -> None:
    before = len(book.entries)
    decision = book.decide([donation(A, 1), donation(B, 2), donation(A, 3)])
    assert [entry.index for entry in decision.entries] == [before, before + 1, before + 2]
    assert [entry.seq for entry in decision.entries] == [1, 1, 2]
    parsed = [parse_entry(data, ORIGIN) for data in book.entries]
    assert parsed[-1].prev == tree.leaf_hash(book.entries[before]).hex()
    assert book.state.frontier.root() == tree.root_of(map(tree.leaf_hash, book.entries))
    assert book.state.platform == PLATFORM


def test_a_duplicate_is_skipped_within_and_across_batches(book: Book) -> None:
    decision = book.decide([donation(A, 1), donation(A, 1)])
    assert (len(decision.entries), len(decision.skipped)) == (1, 1)
    assert book.decide([donation(A, 1)]).entries == []


def test_an_organization_waits_for_its_genesis_and_no_other_one_does(book: Book) -> None:
    new = name("org", "new")
    decision = book.decide([donation(new, 1), donation(A, 2), donation(new, 3)])
    assert ids(decision) == [name("ent", 2)]
    assert [one.waits_for for one in decision.waiting] == [new, new]
    decision = book.decide([donation(new, 1), donation(new, 3), genesis(new)])
    assert ids(decision) == [genesis(new).id, name("ent", 1), name("ent", 3)]
    assert decision.waiting == []


def test_a_reference_waits_and_chains_of_waiting_are_released_together(book: Book) -> None:
    first, second, third = (
        donation(A, 1),
        refund(A, 2, name("ent", 1)),
        refund(A, 3, name("ent", 2)),
    )
    decision = book.decide([third, second])
    assert {one.waits_for for one in decision.waiting} == {first.id, second.id}
    decision = book.decide([third, second, first])
    assert ids(decision) == [first.id, second.id, third.id]


def test_what_waits_twice_waits_once(book: Book) -> None:
    later = refund(A, 2, name("ent", 1))
    decision = book.decide([later, later])
    assert (len(decision.waiting), len(decision.skipped)) == (1, 1)


REFUSED: list[tuple[str, Callable[[], Request]]] = [
    ("unknown_kind", lambda: donation(A, 1, kind="gift")),
    ("malformed_entry", lambda: donation("org_1", 1)),
    ("malformed_entry", lambda: donation(A, 1, visibility="secret")),
    ("malformed_entry", lambda: donation(A, 1, visibility="delayed_public")),
    ("malformed_entry", lambda: donation(A, 1, details={"Key": 1})),
    ("malformed_entry", lambda: donation(A, 1, details={"ratio": 1.5})),
    ("malformed_entry", lambda: donation(A, 1, details={"sealed": "x"})),
    ("malformed_entry", lambda: donation(A, 1, details={"note": "x" * 65_536})),
    ("malformed_entry", lambda: donation(A, 1, details={"a": {"b": {"c": {"d": {}}}}})),
    ("malformed_entry", lambda: donation(A, 1, kind="refund")),
    ("malformed_entry", lambda: donation(A, 1, kind="expense")),
    ("malformed_money", lambda: donation(A, 1, postings=postings(5, name("fund", A))[:1])),
    ("malformed_money", lambda: donation(A, 1, postings=unbalanced())),
    ("unknown_account", lambda: donation(A, 1, postings=elsewhere("Income:Lottery"))),
    ("foreign_fund", lambda: donation(A, 1, postings=postings(5, name("fund", B)))),
    ("second_currency", lambda: donation(A, 1, postings=postings(5, name("fund", A), "USD"))),
    ("seal_used_twice", lambda: donation(A, 1, donor=seal("known"))),
    ("refers_to_itself", lambda: refund(A, 1, name("ent", 1))),
    ("foreign_reference", lambda: refund(A, 1, name("ent", "of B"))),
    ("second_genesis", lambda: genesis(A, id=name("ent", "again"))),
    (
        "wrong_log",
        lambda: genesis(name("org", "x"), details={"name": "X", "origin": "other/log/1"}),
    ),
    ("platform_only", lambda: donation(A, 1, kind="key_change", donor=None, postings=None)),
    ("computed_kind", lambda: donation(PLATFORM, 1, kind="census", donor=None, postings=None)),
    ("computed_kind", lambda: donation(A, 1, kind="statement", donor=None, postings=None)),
]


def test_what_the_ledger_computes_is_decided_alone(book: Book) -> None:
    decision = book.decide([donation(A, 1)], by_ledger=True)
    assert [one.code for one in decision.refused] == ["computed_kind"]


def unbalanced() -> list[dict[str, str]]:
    first, second = postings(5, name("fund", A))
    return [first, second | {"amount": "-6"}]


def elsewhere(account: str) -> list[dict[str, str]]:
    first, second = postings(5, name("fund", A))
    return [first, second | {"account": account}]


@pytest.mark.parametrize(
    ("code", "make"), REFUSED, ids=[f"{n}-{c}" for n, (c, _) in enumerate(REFUSED)]
)
def test_a_refused_request_stops_nobody(book: Book, code: str, make: Callable[[], Request]) -> None:
    book.decide([donation(A, "first", donor=seal("known")), donation(B, "of B")])
    decision = book.decide([donation(A, "before"), make(), donation(A, "after"), donation(B, "b")])
    assert [(one.code, one.request) for one in decision.refused] == [(code, make())]
    assert ids(decision) == [name("ent", of) for of in ("before", "after", "b")]
    assert book.state.frontier.root() == tree.root_of(map(tree.leaf_hash, book.entries))


def test_a_divisible_account_may_be_divided(book: Book) -> None:
    wells = donation(A, 1, kind="expense", donor=None, postings=elsewhere("Expenses:Program:Wells"))
    assert ids(book.decide([wells])) == [wells.id]


def test_time_never_goes_back_and_a_clock_far_behind_stops_the_writer(book: Book) -> None:
    book.decide([donation(A, 1)], NOON + timedelta(seconds=90))
    book.decide([donation(A, 2)], NOON + timedelta(seconds=30))
    times = [parse_entry(data).time for data in book.entries]
    assert times[-1] == times[-2] == spell_time(NOON + timedelta(seconds=90))
    with pytest.raises(ClockBehindError):
        book.decide([donation(A, 3)], NOON + timedelta(seconds=29))


def test_balances_are_the_sums_of_postings(book: Book) -> None:
    decision = book.decide([donation(A, 1, 700), donation(A, 2, 300), donation(B, 3, 50)])
    assert decision.balances[A, name("fund", A), "Assets:Stripe", "EUR"] == 1000
    assert decision.balances[B, name("fund", B), "Income:Donations", "EUR"] == -50


def test_a_decision_leaves_the_state_it_was_given_alone(book: Book) -> None:
    root, chains = book.state.frontier.root(), dict(book.chains)
    state = book.state
    book.decide([donation(A, 1)])
    assert state.frontier.root() == root
    assert chains[A] != book.chains[A]


def facts(book: Book) -> set[tuple[Any, ...]]:
    """What must not depend on the order of delivery (decision 16)."""
    found = set()
    for data in book.entries:
        value = json.loads(data)
        money = json.dumps(value.get("money"), sort_keys=True)
        details = json.dumps(value.get("details"), sort_keys=True)
        found.add((value["org"], value["id"], value["kind"], money, details, value.get("ref")))
    return found


def deliver(requests: list[Request], sizes: list[int]) -> Book:
    """Record in batches; what waits comes again with the next one, as out of the waiting table."""
    book = Book()
    book.decide([genesis(PLATFORM)])
    waiting: list[Request] = []
    while requests:
        count = sizes.pop() if sizes else len(requests)
        decision = book.decide([*requests[:count], *waiting])
        waiting = [one.request for one in decision.waiting]
        requests = requests[count:]
        assert decision.refused == []
    assert waiting == []
    return book


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 9), max_size=20))
def test_any_order_and_any_repetition_gives_the_same_entries(seed: int, sizes: list[int]) -> None:
    requests = [genesis(A), genesis(B)]
    for number in range(8):
        organization = A if number % 3 else B
        requests.append(donation(organization, number, 100 + number))
        requests.append(refund(organization, f"r{number}", name("ent", number)))
        requests.append(refund(organization, f"rr{number}", name("ent", f"r{number}")))
    shuffled = requests * 3
    random.Random(seed).shuffle(shuffled)
    book = deliver(shuffled, list(sizes))
    assert facts(book) == facts(deliver(requests, []))
    assert len(book.entries) == len(requests) + 1
