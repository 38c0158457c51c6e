"""Stripe's own scale of each currency: the only place that knows where it differs from ISO 4217.

Elsewhere money is in ISO minor units. Source: Stripe, "Supported currencies" (zero-decimal,
three-decimal and special-case currencies), as of 2026-10-28. Nothing is ever rounded.
"""

from dataclasses import dataclass
from typing import Final


class AmountNotRepresentableError(ValueError):
    """Stripe cannot charge exactly this amount in this currency."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """ISO digits, digits of the integer that Stripe takes, and what that integer must divide by."""

    iso_digits: int
    stripe_digits: int
    step: int = 1

    @property
    def iso_unit(self) -> int:
        return int(10**self.iso_digits)

    @property
    def stripe_unit(self) -> int:
        return int(10**self.stripe_digits)


#: Sent with two digits for history's sake, without fractions.
_HUNDREDFOLD: Final = _Scale(0, 2, step=100)

SCALES: Final[dict[str, _Scale]] = {
    currency: scale
    for scale, currencies in (
        (
            _Scale(2, 2),
            "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP "
            "BYN BZD CAD CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL "
            "GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR "
            "LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
            "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD "
            "SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW",
        ),
        (_Scale(0, 0), "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF"),
        (_Scale(2, 0), "MGA"),
        (_Scale(3, 3, step=10), "BHD JOD KWD OMR TND"),
        (_HUNDREDFOLD, "ISK UGX"),
    )
    for currency in currencies.split()
}


def to_stripe(amount_minor: int, currency: str) -> int:
    """ISO minor units as the integer of a charge; AmountNotRepresentableError if there is none."""
    scale = _scale_of(currency)
    amount, rest = divmod(amount_minor * scale.stripe_unit, scale.iso_unit)
    if rest or amount % scale.step:
        raise AmountNotRepresentableError(f"Stripe cannot charge this fraction in {currency}")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """An integer of Stripe's in ISO minor units; AmountNotRepresentableError if it is none."""
    scale = _scale_of(currency)
    minor, rest = divmod(amount * scale.iso_unit, scale.stripe_unit)
    if rest:
        raise AmountNotRepresentableError(f"{currency} has no such fraction in ISO 4217")
    return minor


#: Two-decimal charges, whole units in payouts (Stripe, "Supported currencies", special cases).
_WHOLE_PAYOUTS: Final = frozenset({"HUF", "TWD", "ISK", "UGX"})


def payable(available: int, currency: str) -> tuple[int, int]:
    """How much of a balance one payout can carry, and what stays: both in Stripe's integers.

    A negative balance carries nothing and stays whole. AmountNotRepresentableError: no currency.
    """
    scale = _scale_of(currency)
    step = max(scale.step, 100 if currency in _WHOLE_PAYOUTS else 1)
    amount = max(available, 0) // step * step
    return amount, available - amount


def _scale_of(currency: str) -> _Scale:
    try:
        return SCALES[currency]
    except KeyError:
        raise AmountNotRepresentableError(f"Stripe's table has no currency {currency}") from None
