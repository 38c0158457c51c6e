from datetime import UTC, date, datetime, timedelta

import pytest

from amply_verify import canonical
from amply_verify.entry import parse_entry
from amply_verify.tree import leaf_hash, root_of
from ledger import census
from tests.ledger.auditing import audit
from tests.ledger.making import NOON, Book, donation, genesis, name

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
DAY = timedelta(days=1)


def test_a_member_s_leaf_is_that_of_its_canonical_bytes() -> None:
    member = {"head": bytes(range(32)).hex(), "org": A, "seq": 7}
    assert census.member_leaf(A, 7, bytes(range(32))) == leaf_hash(canonical.encode(member))


@pytest.mark.parametrize(
    ("now", "last", "due"),
    [
        (NOON, None, None),
        (NOON, NOON, None),
        (NOON, NOON - timedelta(hours=12), None),
        (NOON, NOON - timedelta(hours=12, microseconds=1), date(2027, 3, 1)),
        (NOON, NOON - 40 * DAY, date(2027, 3, 1)),
        (NOON, NOON + DAY, None),
        (datetime(2027, 3, 1, tzinfo=UTC), NOON - DAY, date(2027, 3, 1)),
    ],
)
def test_a_census_is_due_once_on_each_day_after_the_first(
    now: datetime, last: datetime | None, due: date | None
) -> None:
    assert census.day_due(now, last) == due


def take_census(book: Book, day: date) -> None:
    members = sorted(book.chains.items())
    root = root_of(census.member_leaf(org, head.seq, head.leaf_hash) for org, head in members)
    one = census.request(0, PLATFORM, day, len(members), root)
    decision = book.decide([one], by_ledger=True)
    assert (len(decision.entries), decision.refused) == (1, [])
    assert book.decide([one], by_ledger=True).skipped == [one]


def test_the_verifier_s_audit_recomputes_every_census() -> None:
    book = Book()
    book.decide([genesis(PLATFORM), genesis(A)])
    take_census(book, date(2027, 3, 2))
    book.decide([genesis(B), donation(A, 1)])
    take_census(book, date(2027, 3, 3))
    take_census(book, date(2027, 3, 4))
    assert audit(book.entries).censuses == 3
    assert parse_entry(book.entries[-1]).org == PLATFORM


def test_only_the_platform_has_a_census() -> None:
    book = Book()
    book.decide([genesis(PLATFORM), genesis(A)])
    decision = book.decide([census.request(0, A, date(2027, 3, 2), 2, bytes(32))], by_ledger=True)
    assert [one.code for one in decision.refused] == ["platform_only"]
