import random
from typing import Any

import pytest

from contracts.identifiers import random_id, type_id
from ledger import transfers
from ledger.entry import Request
from tests.ledger.making import NOON, Book, donation, genesis, name, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
TRANSFER = type_id("tra", random_id(NOON))


@pytest.fixture
def book() -> Book:
    made = Book()
    made.decide([genesis(PLATFORM), genesis(A), genesis(B)])
    return made


def lines(organization: str, account: str, sign: int, amount_minor: int) -> list[dict[str, str]]:
    common = {"currency": "EUR", "fund": name("fund", organization)}
    return [
        {"account": account, "amount": str(sign * amount_minor), **common},
        {"account": "Assets:Bank", "amount": str(-sign * amount_minor), **common},
    ]


def side(
    kind: str, *, transfer: str = TRANSFER, amount_minor: int = 700, **changes: Any
) -> Request:
    out = kind == transfers.OUT
    organization, account, sign = (A, transfers.GIVEN, 1) if out else (B, transfers.RECEIVED, -1)
    other = {"to": B} if out else {"from": A}
    values: dict[str, Any] = {
        "id": type_id("ent", transfers.side_id(TRANSFER, kind)),
        "kind": kind,
        "donor": None,
        "postings": lines(organization, account, sign, amount_minor),
        "details": {"transfer": TRANSFER, **other},
    }
    return donation(organization, TRANSFER)._replace(**values | changes)


OUT, IN = side(transfers.OUT), side(transfers.IN)


@pytest.mark.parametrize("order", [(OUT, IN), (IN, OUT)])
def test_two_sides_are_appended_together_in_any_order(
    book: Book, order: tuple[Request, Request]
) -> None:
    decision = book.decide(order)
    assert [one.request for one in decision.entries] == [OUT, IN]
    assert (decision.waiting, decision.refused) == ([], [])
    assert book.decide(order).skipped == list(order)


def test_a_side_alone_waits_for_the_other_and_comes_back_with_it(book: Book) -> None:
    decision = book.decide([IN, IN])
    assert [(one.request, one.waits_for) for one in decision.waiting] == [(IN, OUT.id)]
    assert decision.entries == []
    assert len(book.decide([OUT, IN]).entries) == 2


def test_what_refers_to_a_side_is_released_with_it(book: Book) -> None:
    undone = [
        refund(one.organization, one.id, one.id, kind="adjustment", subject=None)
        for one in (OUT, IN)
    ]
    for side_alone in (OUT, IN):
        assert book.decide([*undone, side_alone]).entries == []
    decision = book.decide([*undone, IN, OUT])
    recorded = [one.request.id for one in decision.entries]
    assert recorded[:2] == [OUT.id, IN.id]
    assert set(recorded[2:]) == {one.id for one in undone}


UNMATCHED: dict[str, tuple[str, Request, Request]] = {
    "amounts": ("unmatched_transfer", OUT, side(transfers.IN, amount_minor=701)),
    "wrong organization": (
        "unmatched_transfer",
        side(transfers.OUT, details={"transfer": TRANSFER, "to": PLATFORM}),
        IN,
    ),
    "one organization": (
        "unmatched_transfer",
        OUT,
        side(transfers.IN, organization=A, postings=lines("A2", transfers.RECEIVED, -1, 700)),
    ),
    "nothing given": (
        "unmatched_transfer",
        side(transfers.OUT, postings=lines(A, "Expenses:Grants", 1, 700)),
        side(transfers.IN, postings=lines(B, "Income:Grants", -1, 700)),
    ),
    "a side that is malformed": (
        "malformed_money",
        OUT,
        side(transfers.IN, postings=lines(B, transfers.RECEIVED, -1, 700)[:1]),
    ),
    "one fund": (
        "foreign_fund",
        OUT,
        side(transfers.IN, postings=lines(A, transfers.RECEIVED, -1, 700)),
    ),
}


@pytest.mark.parametrize("what", UNMATCHED)
def test_sides_that_do_not_match_are_both_refused(book: Book, what: str) -> None:
    code, *sides = UNMATCHED[what]
    decision = book.decide([*sides, donation(A, "after"), donation(B, "after too")])
    assert {(one.code, one.request.id) for one in decision.refused} == {
        (code, OUT.id),
        (code, IN.id),
    }
    assert [one.request.id for one in decision.entries] == [
        name("ent", "after"),
        name("ent", "after too"),
    ]
    assert decision.waiting == []


@pytest.mark.parametrize(
    "wrong",
    [
        side(transfers.OUT, details=None),
        side(transfers.OUT, details={"transfer": 1, "to": B}),
        side(transfers.OUT, details={"transfer": "tra_1", "to": B}),
        side(transfers.OUT, id=name("ent", "not derived")),
    ],
)
def test_a_side_that_names_no_transfer_is_refused(book: Book, wrong: Request) -> None:
    decision = book.decide([wrong])
    assert [one.code for one in decision.refused] == ["malformed_transfer"]


def test_any_order_with_geneses_and_repetitions_appends_both_or_neither() -> None:
    for seed in range(50):
        shuffle = random.Random(seed)
        requests = [genesis(A), genesis(B), OUT, IN] * 2
        shuffle.shuffle(requests)
        book, waiting = Book(), list[Request]()
        book.decide([genesis(PLATFORM)])
        while requests:
            count = shuffle.randint(1, 4)
            batch, requests = requests[:count], requests[count:]
            decision = book.decide([*batch, *waiting])
            waiting = [one.request for one in decision.waiting]
            kinds = {one.request.kind for one in decision.entries} & transfers.KINDS
            assert len(kinds) in (0, 2), f"seed {seed}"
        assert len(book.entries) == 5, f"seed {seed}"
