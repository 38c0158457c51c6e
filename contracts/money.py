"""Money is an integer count of a currency's minor unit (ISO 4217), never a float."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

AMOUNT_MINOR_MAX: Final = 10**12

#: ISO 4217 exponents of the currencies that Amply takes. Stripe's own table, which differs from
#: ISO for some currencies, belongs to the Stripe gateway.
EXPONENTS: Final = {"CHF": 2, "EUR": 2, "GBP": 2, "USD": 2}

#: ISO 4217's exponents other than 2: every currency that a ledger may hold, taken by Amply or not.
_EXPONENTS_OF_ISO: Final = {
    "BHD": 3, "BIF": 0, "CLF": 4, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3,
    "JPY": 0, "KMF": 0, "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3,
    "UGX": 0, "UYI": 0, "UYW": 4, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip

Currency = Literal["CHF", "EUR", "GBP", "USD"]
assert set(get_args(Currency)) == set(EXPONENTS)

#: What a donor gives, in minor units: a positive integer, at most 10^12.
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MINOR_MAX)]

#: One side of an entry, in minor units: a non-zero decimal integer as a string, since ledger
#: amounts outgrow the integers that JavaScript's parser keeps exact.
LedgerAmount = Annotated[str, Field(pattern=r"^-?[1-9][0-9]{0,17}$")]


def exponent_of(currency: str) -> int:
    """How many digits of an amount in minor units are a fraction of the currency's major unit."""
    return _EXPONENTS_OF_ISO.get(currency, 2)


def spell_decimal(amount_minor: int | str, exponent: int) -> str:
    """`-1250` with exponent 2 as `-12.50`, exact at any length."""
    digits = str(amount_minor)
    sign = "-" if digits[0] == "-" else ""
    if not exponent:
        return digits
    digits = digits[len(sign) :].rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def spell(amount_minor: int, currency: str) -> str:
    """`2500, "EUR"` as `EUR 25.00`, by integer arithmetic."""
    return f"{currency} {spell_decimal(amount_minor, exponent_of(currency))}"
