"""Statements are what the verifier recomputes, and none tells what a sealed gift was."""

import random
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from amply_verify.entry import parse_entry
from amply_verify.figures import Figures
from amply_verify.money import parse_postings
from ledger import statement
from ledger.chain import Head
from ledger.entry import Request
from ledger.projection import Books, Reader, StoredEntry, Sums
from ledger.statement import Figure
from tests.ledger.making import NOON, Book, donation, genesis, name, postings, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
MARCH = date(2027, 3, 1)
KINDS = ("public_full", "public_aggregated", "internal_only", "delayed_public")


@pytest.mark.parametrize(
    ("now", "settled", "due"),
    [
        (NOON, MARCH, None),
        (datetime(2027, 3, 31, 23, 59, 59, 999_999, UTC), MARCH, None),
        (datetime(2027, 4, 1, tzinfo=UTC), MARCH, MARCH),
        (datetime(2027, 4, 1, tzinfo=UTC), date(2027, 4, 1), None),
        (datetime(2028, 1, 1, tzinfo=UTC), date(2027, 12, 1), date(2027, 12, 1)),
        (datetime(2029, 7, 1, tzinfo=UTC), date(2027, 12, 1), date(2027, 12, 1)),
    ],
)
def test_a_month_is_due_once_it_is_over(now: datetime, settled: date, due: date | None) -> None:
    assert statement.month_due(now, settled) == due


def figure(**changes: Any) -> Figure:
    values: dict[str, Any] = {
        "fund": "f",
        "currency": "EUR",
        "visibility": "public_aggregated",
        "entries": 3,
    }
    return Figure(**values | {"gifts": 3, "income_minor": 30, "expenses_minor": 3} | changes)


ALLOWED = {
    "three sealed gifts": ([figure()], True),
    "two sealed gifts": ([figure(gifts=2)], False),
    "one sealed gift beside shown ones": (
        [figure(gifts=1), figure(visibility="public_full", gifts=9)],
        False,
    ),
    "two sealed gifts by two visibilities, one each": (
        [figure(gifts=1), figure(gifts=1, visibility="delayed_public")],
        False,
    ),
    "one of three is told when the delayed ones are open": (
        [figure(gifts=1), figure(gifts=2, visibility="delayed_public")],
        False,
    ),
    "three stay when the delayed one is open": (
        [figure(gifts=3), figure(gifts=1, visibility="delayed_public")],
        True,
    ),
    "three delayed ones": ([figure(gifts=3, visibility="delayed_public")], True),
    "three, but in two funds": ([figure(gifts=2), figure(gifts=1, fund="g")], False),
    "one shown gift": ([figure(gifts=1, visibility="public_full")], True),
    "one internal gift beside a shown one": (
        [figure(gifts=1, visibility="internal_only"), figure(gifts=1, visibility="public_full")],
        True,
    ),
    "only internal money": ([figure(visibility="internal_only")], False),
    "a sealed refund alone": ([figure(gifts=-1, income_minor=-10)], False),
    "sealed moves without income": (
        [figure(gifts=0, income_minor=0, expenses_minor=0, entries=1)],
        True,
    ),
    "a sealed expense alone": ([figure(gifts=0, income_minor=0)], False),
    "nothing": ([], False),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_no_statement_tells_what_fewer_than_three_sealed_gifts_were(what: str) -> None:
    figures, allowed = ALLOWED[what]
    assert (statement.request(A, MARCH, figures) is not None) is allowed


def some_entries(seed: int) -> list[Request]:
    """Gifts, refunds and moves of two organizations in all visibilities, with two currencies."""
    draw = random.Random(seed)
    made: list[Request] = []
    for number in range(40):
        organization = draw.choice((A, B))
        visibility = draw.choice(KINDS)
        lines = postings(draw.randint(1, 10**6), name("fund", organization))
        if draw.random() < 0.3:
            common = {"fund": name("fund", organization)}
            lines[1:] = [
                {"account": "Equity:Conversion", "currency": "EUR", **common}
                | {"amount": str(-int(lines[0]["amount"]))},
                {"account": "Equity:Conversion", "currency": "USD", "amount": "70", **common},
                {"account": "Income:Donations", "currency": "USD", "amount": "-70", **common},
            ]
        after = "2028-01-01T00:00:00.000000Z" if visibility == "delayed_public" else None
        gift = donation(organization, number, postings=lines, visibility=visibility)
        made.append(gift._replace(public_after=after))
        if draw.random() < 0.2:
            undone = refund(organization, f"r{number}", gift.id, visibility=visibility)
            made.append(undone._replace(public_after=after))
    return made


def stored(book: Book, request: Request) -> tuple[StoredEntry, bytes | None]:
    decision = book.decide([request])
    one = decision.entries[0]
    row = (one.index, request.organization, one.seq, request.id, request.kind)
    opening = {opened.section: opened.plain for opened in one.composed.openings}
    data, leaf = one.composed.data, one.composed.leaf_hash
    return StoredEntry(*row, data, leaf, None, decision.time), opening.get("money")


@pytest.mark.parametrize("seed", range(5))
def test_sums_over_parts_of_the_log_give_what_the_verifier_computes(seed: int) -> None:
    book, reader = Book(), Reader()
    parts = [Sums(), Sums()]
    books = Books()
    oracle = {organization: Figures("2027-03-02T00:00:00.000000Z") for organization in (A, B)}
    requests = [genesis(PLATFORM), genesis(A), genesis(B), *some_entries(seed)]
    for number, request in enumerate(requests):
        entry, opening = stored(book, request)
        visibility, lines = reader.read(entry, opening)
        parts[number % 2].add(entry, visibility, lines)
        books.add(0, entry, lines)
        if request.organization != PLATFORM:
            money = orjson.loads(opening)["value"] if opening else None
            parsed = parse_entry(entry.data)
            money = parsed.shown.get("money", money)
            sections = {"money", "details"} if opening else set[str]()
            judged = None if money is None else parse_postings(money)
            oracle[request.organization].add(parsed, sections, judged)
    for organization, figures in oracle.items():
        mine = [
            Figure(key.fund, key.currency, key.visibility, *astuple(one))
            for part in parts
            for key, one in part.monthly.items()
            if key.organization == organization
        ]
        assert statement.totals(mine) == figures.months["2027-03"].totals()
        balances = {
            key[1:]: amount
            for key, amount in books.balances_minor.items()
            if key[0] == organization
        }
        assert balances == {tuple(k): v for k, v in figures.balances_minor().items()}
    assert books.chains == book.chains
    assert books.funds == book.funds
    assert books.chains[A] == Head(0, book.chains[A].seq, book.chains[A].leaf_hash)


def astuple(one: Any) -> tuple[int, int, int, int]:
    return (one.entries, one.gifts, one.income_minor, one.expenses_minor)
