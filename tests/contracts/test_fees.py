from hypothesis import given
from hypothesis import strategies as st

from contracts.fees import SCHEDULES, FeeSchedule, gross_up
from contracts.money import AMOUNT_MINOR_MAX, EXPONENTS

schedules = st.one_of(
    st.sampled_from(sorted(SCHEDULES.values(), key=repr)),
    st.builds(FeeSchedule, st.integers(0, 2_000), st.integers(0, 500)),
)


@given(st.integers(1, AMOUNT_MINOR_MAX), schedules)
def test_the_gross_up_is_the_least_charge_that_leaves_the_gift(
    gift_minor: int, schedule: FeeSchedule
) -> None:
    charge = gross_up(gift_minor, schedule)
    assert charge - schedule.fee_minor(charge) >= gift_minor
    less = charge - 1
    assert less - schedule.fee_minor(less) < gift_minor


@given(st.integers(1, 10**7), schedules)
def test_a_larger_gift_never_costs_less(gift_minor: int, schedule: FeeSchedule) -> None:
    assert gross_up(gift_minor + 1, schedule) >= gross_up(gift_minor, schedule)


def test_known_charges() -> None:
    assert gross_up(2_500, FeeSchedule(0, 0)) == 2_500
    assert gross_up(10_000, SCHEDULES["USD"]) == 10_330  # fee 330: 299.57 rounded, plus 30
    assert gross_up(1, SCHEDULES["USD"]) == 32


def test_every_currency_has_a_schedule() -> None:
    assert set(SCHEDULES) == set(EXPONENTS)
