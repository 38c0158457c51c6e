from datetime import date
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.statement import Figure, month_after, tells_a_gift
from ledger.transparency import Sum, transparency

JANUARY, FEBRUARY, MARCH, APRIL = (date(2027, month, 1) for month in (1, 2, 3, 4))
FUNDS = ("fund_a", "fund_b")


def figure(
    gifts: int, income_minor: int, visibility: str = "public_aggregated", fund: str = "fund_a"
) -> Figure:
    return Figure(fund, "EUR", visibility, gifts, gifts, income_minor, 0)


def test_what_the_log_shows_counts_at_once_and_internal_money_never() -> None:
    told = transparency(
        [
            (JANUARY, Figure("fund_a", "EUR", "public_full", 2, 1, 700, 30)),
            (JANUARY, Figure("fund_a", "EUR", "internal_only", 9, 9, 9_000, 90)),
            (JANUARY, Figure("fund_a", "USD", "internal_only", 9, 9, 9_000, 90)),
        ],
        None,
    )
    assert list(told) == ["EUR"]
    assert told["EUR"].shown == Sum(2, 700, 30)
    assert (told["EUR"].income_minor, told["EUR"].expenses_minor) == (700, 30)
    assert (told["EUR"].folded, told["EUR"].entries_waiting) == (Sum(), 0)


@pytest.mark.parametrize(
    ("figures", "settled", "folded_minor", "waiting"),
    [
        ([(JANUARY, figure(3, 30))], None, 0, 3),  # Nobody said that the month is over.
        ([(JANUARY, figure(3, 30))], JANUARY, 0, 3),
        ([(JANUARY, figure(3, 30))], FEBRUARY, 30, 0),
        ([(JANUARY, figure(2, 20))], FEBRUARY, 0, 2),
        # Two months of few gifts are told together, and not with one that is told alone.
        ([(JANUARY, figure(2, 20)), (FEBRUARY, figure(1, 5))], MARCH, 25, 0),
        ([(JANUARY, figure(2, 20)), (FEBRUARY, figure(3, 5))], MARCH, 5, 2),
        (
            [(JANUARY, figure(2, 20)), (FEBRUARY, figure(3, 5)), (MARCH, figure(1, 7))],
            *(APRIL, 32, 0),
        ),
        # A refund without gifts beside it would tell the gift.
        ([(JANUARY, figure(-1, -20))], FEBRUARY, 0, -1),
        # Funds are folded by themselves, as rows of statements are.
        ([(JANUARY, figure(2, 20)), (JANUARY, figure(1, 9, fund="fund_b"))], FEBRUARY, 0, 3),
        # Both sealed visibilities are in one row of a statement. When the delayed gifts are open,
        # what is left of the row is told too.
        (
            [(JANUARY, figure(3, 20)), (JANUARY, figure(1, 9, "delayed_public"))],
            *(FEBRUARY, 29, 0),
        ),
        (
            [(JANUARY, figure(2, 20)), (JANUARY, figure(1, 9, "delayed_public"))],
            *(FEBRUARY, 0, 3),
        ),
    ],
)
def test_sealed_money_counts_in_folds(
    figures: list[tuple[date, Figure]], settled: date | None, folded_minor: int, waiting: int
) -> None:
    told = transparency(figures, settled)["EUR"]
    assert (told.folded.income_minor, told.entries_waiting) == (folded_minor, waiting)
    assert told.income_minor == folded_minor


def tells_three_or_none(gifts: int, delayed_gifts: int) -> bool:
    """Before the delayed ones are open, and after."""
    return all(left.bit_count() in (0, *range(3, 99)) for left in (gifts, gifts & ~delayed_gifts))


months = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(FUNDS)),
    min_size=1,
    max_size=10,
)


@given(months)
def test_no_difference_of_published_sums_tells_fewer_than_three_gifts(
    given_months: list[tuple[int, int, str]],
) -> None:
    """Each gift is a power of two, so that a sum names the gifts in it."""
    figures: list[tuple[date, Figure]] = []
    month, gifts, delayed_gifts = JANUARY, 0, 0
    for aggregated, delayed, fund in given_months:
        for number, visibility in ((aggregated, "public_aggregated"), (delayed, "delayed_public")):
            if number:
                income_minor = ((1 << number) - 1) << gifts
                figures.append((month, figure(number, income_minor, visibility, fund)))
                delayed_gifts |= income_minor if visibility == "delayed_public" else 0
                gifts += number
        month = month_after(month)
    statements = [
        sum(one.income_minor for _, one in rows)
        for _, rows in ((key, list(group)) for key, group in groupby(figures, lambda one: one[0]))
        if not tells_a_gift(one for _, one in rows)
    ]
    before, settled = 0, JANUARY
    while settled <= month:
        told = transparency(figures, settled)
        after = told["EUR"].folded.income_minor if told else 0
        assert after & before == before, "what was told stays told"
        fresh = after ^ before
        for statement in statements:
            assert fresh & statement in (0, statement), "a statement's row is told whole"
            assert tells_three_or_none(statement, delayed_gifts)
            fresh &= ~statement
        assert tells_three_or_none(fresh, delayed_gifts)
        before, settled = after, month_after(settled)
