"""Money is an integer count of a currency's minor unit (ISO 4217), never a float."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

AMOUNT_MINOR_MAX: Final = 10**12

#: ISO 4217's exponents other than 2: every currency that a ledger may hold, taken by Amply or not.
_EXPONENTS_OF_ISO: Final = {
    "BHD": 3, "BIF": 0, "CLF": 4, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3,
    "JPY": 0, "KMF": 0, "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3,
    "UGX": 0, "UYI": 0, "UYW": 4, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip

#: The currencies that Stripe charges in (Stripe, "Supported currencies", as of 2026-10-28), with
#: ISO 4217's exponents. Stripe's own scale, which differs for some, belongs to the Stripe gateway.
_CHARGED: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD
    GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
    OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD
    SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR
    ZMW
"""
EXPONENTS: Final = {code: _EXPONENTS_OF_ISO.get(code, 2) for code in _CHARGED.split()}

#: Stripe's page lists them rarely: a deployment takes them only when it names them.
THREE_DECIMAL: Final = frozenset(code for code, digits in EXPONENTS.items() if digits == 3)

#: What a deployment takes unless it says otherwise.
STANDARD: Final = frozenset(EXPONENTS) - THREE_DECIMAL

_STEPS: Final = {"MGA": 100} | dict.fromkeys(sorted(THREE_DECIMAL), 10)


def charge_step(currency: str) -> int:
    """What a charge must divide by, in ISO minor units: Stripe takes no smaller fraction."""
    return _STEPS.get(currency, 1)


def _known(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError("Stripe charges in no such currency")
    return currency


#: One of EXPONENTS.
Currency = Annotated[
    str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(EXPONENTS)})
]

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


def parse_decimal(text: str, currency: str) -> int:
    """`12.50` of `EUR` as 1250, the inverse of `spell_decimal`; ValueError when it is not exact.

    Digits and one point: no sign, no grouping, no more decimals than the currency has.
    """
    whole, point, fraction = text.partition(".")
    exponent = exponent_of(currency)
    if not (text.isascii() and whole.isdigit() and (fraction.isdigit() if point else True)):
        raise ValueError(f"{text!r} is not an amount such as {spell_decimal(1250, exponent)}")
    if len(fraction) > exponent:
        raise ValueError(f"{currency} has {exponent} decimals, {text!r} has more")
    return int(whole + fraction.ljust(exponent, "0"))
