"""Money is an integer count of a currency's minor unit (ISO 4217), never a float."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

AMOUNT_MINOR_MAX: Final = 10**12

#: ISO 4217 exponents of the currencies that Amply takes. Stripe's own table, which differs from
#: ISO for some currencies, belongs to the Stripe gateway.
EXPONENTS: Final = {"CHF": 2, "EUR": 2, "GBP": 2, "USD": 2}

Currency = Literal["CHF", "EUR", "GBP", "USD"]
assert set(get_args(Currency)) == set(EXPONENTS)

#: What a donor gives, in minor units: a positive integer, at most 10^12.
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MINOR_MAX)]

#: One side of an entry, in minor units: a non-zero decimal integer as a string, since ledger
#: amounts outgrow the integers that JavaScript's parser keeps exact.
LedgerAmount = Annotated[str, Field(pattern=r"^-?[1-9][0-9]{0,17}$")]


def spell(amount_minor: int, currency: str) -> str:
    """`2500, "EUR"` as `EUR 25.00`, by integer arithmetic."""
    exponent = EXPONENTS[currency]
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    return f"{currency} {sign}{whole}" + (f".{rest:0{exponent}d}" if exponent else "")
