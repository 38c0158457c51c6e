"""Stripe's own scale of currencies: the charge vectors of case C-05, and the way back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import EXPONENTS, charge_step
from workers.gateways.stripe_amounts import (
    SCALES,
    AmountNotRepresentableError,
    from_stripe,
    to_stripe,
)


def minor(major: str, currency: str) -> int | None:
    """ISO minor units of a decimal amount, None when ISO has no such fraction."""
    scaled = Decimal(major) * SCALES[currency].iso_unit
    return int(scaled) if scaled == scaled.to_integral_value() else None


@pytest.mark.parametrize(
    ("currency", "major", "stripe"),
    [
        ("JPY", "500", 500),
        ("KWD", "18.600", 18600),
        ("UGX", "100", 10000),
        ("ISK", "1500", 150000),
        ("HUF", "100.50", 10050),
        ("EUR", "25.00", 2500),
        ("MGA", "500", 500),
    ],
)
def test_charges(currency: str, major: str, stripe: int) -> None:
    amount_minor = minor(major, currency)
    assert amount_minor is not None
    assert to_stripe(amount_minor, currency) == stripe
    assert from_stripe(stripe, currency) == amount_minor


@pytest.mark.parametrize("major", ["500.5", "1500.5"])
@pytest.mark.parametrize("currency", ["JPY", "ISK"])
def test_fractions_that_iso_has_not(currency: str, major: str) -> None:
    assert minor(major, currency) is None


def test_fractions_that_stripe_has_not() -> None:
    with pytest.raises(AmountNotRepresentableError):
        to_stripe(18605, "KWD")
    with pytest.raises(AmountNotRepresentableError):
        from_stripe(150050, "ISK")


def test_currency_that_is_not_in_the_table_is_never_guessed() -> None:
    for convert in (to_stripe, from_stripe):
        with pytest.raises(AmountNotRepresentableError, match="XTS"):
            convert(100, "XTS")


@given(st.sampled_from(sorted(SCALES)), st.integers(0, 10**12))
def test_what_can_be_charged_comes_back_unchanged(currency: str, amount_minor: int) -> None:
    try:
        amount = to_stripe(amount_minor, currency)
    except AmountNotRepresentableError:
        return
    assert from_stripe(amount, currency) == amount_minor


def test_every_currency_that_we_take_has_a_scale_and_no_other() -> None:
    assert set(SCALES) == set(EXPONENTS)
    for currency, exponent in EXPONENTS.items():
        assert SCALES[currency].iso_digits == exponent


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
def test_steps_that_the_edge_checks_are_exactly_what_stripe_can_charge(currency: str) -> None:
    step = charge_step(currency)
    for amount_minor in (*range(1, 25), *range(90, 111), 200, 550, 1000, 18_605):
        try:
            to_stripe(amount_minor, currency)
            is_chargeable = True
        except AmountNotRepresentableError:
            is_chargeable = False
        assert is_chargeable == (amount_minor % step == 0)
