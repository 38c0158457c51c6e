import pytest

from contracts.money import EXPONENTS, exponent_of, parse_decimal, spell


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


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "EUR", 1200),
        ("0.01", "EUR", 1),
        ("500", "JPY", 500),
        ("18.605", "KWD", 18605),
        ("90071992547409.93", "USD", 9007199254740993),
    ],
)
def test_a_decimal_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert parse_decimal(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        *[
            (text, "EUR")
            for text in ("12.505", "1,000.00", "-5", "+5", "1e3", "", ".5", "5.", "NaN")
        ],
        ("１２", "EUR"),
        ("500.5", "JPY"),
        ("1 000", "EUR"),
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_decimal(text, currency)
