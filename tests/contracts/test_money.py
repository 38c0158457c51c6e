import pytest

from contracts.money import EXPONENTS, exponent_of, spell


@pytest.mark.parametrize(
    ("amount_minor", "currency", "spelled"),
    [
        (2500, "EUR", "EUR 25.00"),
        (-5, "USD", "USD -0.05"),
        (500, "JPY", "JPY 500"),
        (-1234, "KWD", "KWD -1.234"),
        (10**20, "CLF", "CLF 10000000000000000.0000"),
    ],
)
def test_amounts_have_the_digits_that_iso_4217_gives_their_currency(
    amount_minor: int, currency: str, spelled: str
) -> None:
    assert spell(amount_minor, currency) == spelled


def test_the_currencies_that_are_taken_agree_with_iso_4217() -> None:
    assert {currency: exponent_of(currency) for currency in EXPONENTS} == EXPONENTS
