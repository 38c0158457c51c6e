from datetime import UTC, datetime
from typing import Any

import pytest

from amply_verify.money import parse_postings
from contracts.identifiers import random_id, type_id
from ledger import movements
from ledger.movements import Movement, MovementError, Place, Sum, Terms
from tests.ledger.making import NOON, Book, donation, genesis, name

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
ID = random_id(NOON)
WELLS, SCHOOLS = (Place(name("fund", of), "Assets:Bank") for of in ("wells", "schools"))
SHOWN = Terms("public_full", details={"decision": 7})
TEN = Sum(1000, "EUR")
TRANSFER = type_id("tra", ID)


def balances(made: Movement) -> dict[tuple[str, ...], int]:
    """By fund, account and currency; parsing says that they sum to zero."""
    lines = [line.model_dump() for line in made.body.postings or ()]
    amounts_minor = parse_postings({"postings": lines}).amounts_minor
    return {tuple(line): amount_minor for line, amount_minor in amounts_minor}


def test_an_allocation_moves_money_between_funds() -> None:
    made = movements.allocation(ID, A, WELLS, SCHOOLS, TEN, SHOWN)
    assert (made.body.kind, made.body.details) == ("allocation", {"decision": 7})
    assert balances(made) == {
        (*WELLS, "EUR"): -1000,
        (WELLS.fund, "Equity:Allocations", "EUR"): 1000,
        (*SCHOOLS, "EUR"): 1000,
        (SCHOOLS.fund, "Equity:Allocations", "EUR"): -1000,
    }


def test_an_exchange_passes_through_conversion() -> None:
    made = movements.exchange(ID, A, WELLS, TEN, SCHOOLS, Sum(180_000, "JPY"), SHOWN)
    assert balances(made) == {
        (*WELLS, "EUR"): -1000,
        (WELLS.fund, "Equity:Conversion", "EUR"): 1000,
        (*SCHOOLS, "JPY"): 180_000,
        (SCHOOLS.fund, "Equity:Conversion", "JPY"): -180_000,
    }


def test_a_transfer_is_two_entries_with_one_reference() -> None:
    out, into = movements.transfer(TRANSFER, A, WELLS, B, SCHOOLS, TEN, (SHOWN, SHOWN))
    assert out.body.details == {"decision": 7, "transfer": TRANSFER, "to": B}
    assert into.body.details == {"decision": 7, "transfer": TRANSFER, "from": A}
    assert (out.organization, into.organization) == (A, B)
    assert balances(out) == {
        (*WELLS, "EUR"): -1000,
        (WELLS.fund, "Expenses:Transfers", "EUR"): 1000,
    }
    assert balances(into) == {
        (*SCHOOLS, "EUR"): 1000,
        (SCHOOLS.fund, "Income:Transfers", "EUR"): -1000,
    }


@pytest.mark.parametrize("visibility", ["public_full", "internal_only", "delayed_public"])
def test_a_reversal_undoes_an_entry_and_is_shown_as_it(visibility: str) -> None:
    after = "2030-01-01T00:00:00.000000Z" if visibility == "delayed_public" else None
    gift = donation(A, 1, visibility=visibility, public_after=after)
    book = Book()
    book.decide([genesis(PLATFORM), genesis(A), gift])
    money = {"postings": gift.postings}
    made = movements.reversal(ID, book.entries[-1], money, {"reason": "entered-twice"})
    assert (made.body.kind, made.body.ref, made.organization) == ("adjustment", gift.id, A)
    assert made.body.visibility == visibility
    assert made.body.public_after == (datetime(2030, 1, 1, tzinfo=UTC) if after else None)
    undone = {tuple(line)[1]: amount for line, amount in parse_postings(money).amounts_minor}
    assert {key[1]: -amount for key, amount in balances(made).items()} == undone


NONSENSE: dict[str, tuple[str, Any]] = {
    "one fund": ("two different funds", lambda: allocate(WELLS, WELLS, TEN)),
    "no money": ("holds no money", lambda: allocate(WELLS._replace(account="Income:Grants"))),
    "nothing": ("is positive", lambda: allocate(moved=Sum(0, "EUR"))),
    "backwards": ("is positive", lambda: allocate(moved=Sum(-5, "EUR"))),
    "one currency": (
        "between two currencies",
        lambda: movements.exchange(ID, A, WELLS, TEN, SCHOOLS, TEN, SHOWN),
    ),
    "one organization": (
        "two organizations",
        lambda: movements.transfer(TRANSFER, A, WELLS, A, SCHOOLS, TEN, (SHOWN, SHOWN)),
    ),
    "no transfer": (
        "no id of the form tra_",
        lambda: movements.transfer("tra_1", A, WELLS, B, SCHOOLS, TEN, (SHOWN, SHOWN)),
    ),
    "no money to reverse": (
        "moved no money",
        lambda: movements.reversal(ID, b'{"kind":"genesis"}', {}, {}),
    ),
}


def allocate(source: Place = WELLS, target: Place = SCHOOLS, moved: Sum = TEN) -> Movement:
    return movements.allocation(ID, A, source, target, moved, SHOWN)


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_refused_with_a_reason(what: str) -> None:
    reason, make = NONSENSE[what]
    with pytest.raises(ValueError, match=reason):
        make()
    assert issubclass(MovementError, ValueError)
