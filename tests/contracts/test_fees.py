import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.fees import (
    ESTIMATE,
    SCHEDULES,
    FeeSchedule,
    charge_for,
    gross_up,
    left_of,
    platform_fee,
    schedule_of,
)
from contracts.money import AMOUNT_MINOR_MAX, EXPONENTS, charge_step

schedules = st.one_of(
    st.sampled_from([*sorted(SCHEDULES.values(), key=repr), ESTIMATE]),
    st.builds(FeeSchedule, st.integers(0, 2_000), st.integers(0, 500)),
)
platform = st.integers(0, 3_000)
steps = st.sampled_from([1, 10, 100])


@given(st.integers(1, AMOUNT_MINOR_MAX), schedules, platform, steps)
def test_the_gross_up_leaves_the_gift_and_one_step_less_does_not(
    gift_minor: int, schedule: FeeSchedule, basis_points: int, step: int
) -> None:
    charge = gross_up(gift_minor, schedule, basis_points, step)
    assert charge % step == 0
    assert left_of(charge, schedule, basis_points, step) >= gift_minor
    assert left_of(charge - step, schedule, basis_points, step) < gift_minor


@given(st.integers(1, 5_000), schedules, platform, steps)
def test_no_smaller_charge_at_all_leaves_the_gift(
    gift_minor: int, schedule: FeeSchedule, basis_points: int, step: int
) -> None:
    charge = gross_up(gift_minor, schedule, basis_points, step)
    for less in range(step, charge, step):
        assert left_of(less, schedule, basis_points, step) < gift_minor


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, 10**10), st.sampled_from([0, 1, 250]))
def test_every_currency_both_ways(currency: str, charge_minor: int, basis_points: int) -> None:
    """What a charge leaves, grossed up, is that charge or a smaller one that leaves as much."""
    step, schedule = charge_step(currency), schedule_of(currency)
    charge_minor = charge_minor // step * step + step
    gift_minor = left_of(charge_minor, schedule, basis_points, step)
    if gift_minor <= 0:
        return
    charge = charge_for(gift_minor, currency, basis_points)
    assert charge % step == 0
    assert charge <= charge_minor
    assert left_of(charge, schedule, basis_points, step) >= gift_minor


@given(st.integers(1, 10**7), schedules)
def test_a_larger_gift_never_costs_less(gift_minor: int, schedule: FeeSchedule) -> None:
    assert gross_up(gift_minor + 1, schedule) >= gross_up(gift_minor, schedule)


@given(st.integers(1, AMOUNT_MINOR_MAX), st.integers(0, 10_000), steps)
def test_the_platforms_share_is_never_more_than_agreed_and_can_be_charged(
    charge_minor: int, basis_points: int, step: int
) -> None:
    share = platform_fee(charge_minor, basis_points, step)
    assert share % step == 0
    assert 0 <= share * 10_000 <= charge_minor * basis_points


def test_known_charges() -> None:
    assert gross_up(2_500, FeeSchedule(0, 0)) == 2_500
    assert gross_up(10_000, SCHEDULES["USD"]) == 10_330  # fee 330: 299.57 rounded, plus 30
    assert gross_up(1, SCHEDULES["USD"]) == 32
    assert charge_for(50_000, "EUR") == 50_787  # what a widely used shortcut gives as 50 775
    assert charge_for(500, "JPY") == 519
    assert charge_for(18_600, "KWD") == 19_690
    assert charge_for(2_500, "EUR", 100) == 2_589  # 39 + 25 to Stripe, 25 to the platform


def test_fees_that_take_everything_have_no_gross_up() -> None:
    with pytest.raises(ValueError, match="whole charge"):
        gross_up(100, FeeSchedule(5_000, 0), 5_000)


def test_published_prices_are_of_currencies_that_are_taken() -> None:
    assert set(SCHEDULES) <= set(EXPONENTS)
