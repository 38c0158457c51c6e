"""What the writer makes of requests to show more of an entry."""

from typing import Any

import pytest

from ledger.decision import Decision
from ledger.visibility import Label
from tests.ledger.making import Book, donation, genesis, name, visibility_change

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
GIFT = name("ent", 1)
EARLY, LATE = "2027-06-01T00:00:00.000000Z", "2028-06-01T00:00:00.000000Z"


@pytest.fixture
def book() -> Book:
    made = Book()
    made.decide([genesis(PLATFORM), genesis(A), genesis(B)])
    return made


def delayed(day: str) -> dict[str, Any]:
    return {"visibility": "delayed_public", "public_after": day}


def asked(label: dict[str, Any]) -> dict[str, Any]:
    return {"to" if name == "visibility" else name: value for name, value in label.items()}


def codes(decision: Decision) -> list[str]:
    return [refusal.code for refusal in decision.refused]


ORDER: list[dict[str, Any]] = [
    {"visibility": "internal_only"},
    {"visibility": "public_aggregated"},
    delayed(LATE),
    delayed(EARLY),
    {"visibility": "public_full"},
]


@pytest.mark.parametrize("old", range(len(ORDER)))
@pytest.mark.parametrize("new", range(len(ORDER)))
def test_a_change_widens_or_is_refused(book: Book, old: int, new: int) -> None:
    book.decide([donation(A, 1, **ORDER[old])])
    decision = book.decide([visibility_change(A, 2, GIFT, **asked(ORDER[new]))])
    if new > old:
        assert [one.request.kind for one in decision.entries] == ["visibility_change"]
        assert decision.labels[GIFT][1] == Label(
            ORDER[new]["visibility"], ORDER[new].get("public_after")
        )
    else:
        assert (codes(decision), decision.entries, decision.labels) == (
            ["visibility_not_wider"],
            [],
            {},
        )


def test_the_newest_change_counts_within_a_batch_and_after_it(book: Book) -> None:
    widened = [
        donation(A, 1, visibility="internal_only"),
        visibility_change(A, 2, GIFT, to="public_aggregated"),
        visibility_change(A, 3, GIFT, **asked(delayed(LATE))),
        visibility_change(A, 4, GIFT, to="public_aggregated"),
    ]
    decision = book.decide(widened)
    assert codes(decision) == ["visibility_not_wider"]
    change, label = decision.labels[GIFT]
    assert (change.id, label) == (name("ent", 3), Label("delayed_public", LATE))
    later = book.decide(
        [
            visibility_change(A, 5, GIFT, to="public_aggregated"),
            visibility_change(A, 6, GIFT, to="public_full"),
        ]
    )
    assert codes(later) == ["visibility_not_wider"]
    assert later.labels[GIFT][1] == Label("public_full", None)


def test_a_change_waits_for_its_entry(book: Book) -> None:
    change = visibility_change(A, 2, GIFT, to="public_full")
    assert [one.waits_for for one in book.decide([change]).waiting] == [GIFT]
    decision = book.decide([change, donation(A, 1, visibility="internal_only")])
    assert [one.request.id for one in decision.entries] == [GIFT, change.id]
    assert decision.labels[GIFT] == (change, Label("public_full", None))


def test_a_repeated_change_is_skipped(book: Book) -> None:
    book.decide([donation(A, 1, visibility="internal_only")])
    change = visibility_change(A, 2, GIFT, to="public_full")
    decision = book.decide([change, change])
    assert (len(decision.entries), len(decision.skipped), codes(decision)) == (1, 1, [])
    assert len(book.decide([change]).skipped) == 1


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("foreign_reference", {"organization": B}),
        ("malformed_entry", {"details": {"to": "secret"}}),
        ("malformed_entry", {"details": {}}),
        ("malformed_entry", {"details": None}),
        ("malformed_entry", {"details": {"to": "delayed_public"}}),
        ("malformed_entry", {"details": {"to": "delayed_public", "public_after": "2027-01-01"}}),
        ("malformed_entry", {"details": {"to": "public_full", "public_after": LATE}}),
        ("malformed_entry", {"details": {"to": "public_full", "public_after": 1}}),
        ("malformed_entry", {"ref": None}),
        ("malformed_entry", {"visibility": "internal_only"}),
        ("visibility_not_wider", {"ref": genesis(A).id}),
    ],
)
def test_what_is_no_widening_of_an_own_entry_is_refused(
    book: Book, code: str, change: dict[str, Any]
) -> None:
    book.decide([donation(A, 1, visibility="internal_only")])
    request = visibility_change(A, 2, GIFT, to="public_full")._replace(**change)
    decision = book.decide([request, donation(A, 3)])
    assert (codes(decision), decision.labels) == ([code], {})
    assert len(decision.entries) == 1
