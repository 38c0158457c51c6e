"""Currencies as Stripe counts them: units, limits, processing fees and conversion.

Rules: money is an integer of the smallest unit that Stripe's API uses; every rounding is half up
(only positive amounts are rounded). Rates and fees are fixed,
invented figures near the real ones (docs.stripe.com/currencies, stripe.com/pricing).
"""

import re
from dataclasses import dataclass

from deploy.sandbox.errors import invalid_parameter

AMOUNT_MAX = 99_999_999  # Stripe documents eight digits for payment_intent.amount
RATE_SCALE = 1_000_000


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency: digits of its API unit, what one euro buys, least and quantum of an amount.

    `euro_rate` is a ratio (numerator, denominator) in major units; `charge_multiple` and
    `payout_multiple` are what amounts must divide by (docs.stripe.com/currencies, special cases).
    """

    digits: int
    euro_rate: tuple[int, int]
    amount_min: int
    charge_multiple: int = 1
    payout_multiple: int = 1


CURRENCIES = {
    "aud": Currency(2, (165, 100), 50),
    "brl": Currency(2, (610, 100), 50),
    "cad": Currency(2, (150, 100), 50),
    "chf": Currency(2, (95, 100), 50),
    "clp": Currency(0, (1050, 1), 500),
    "czk": Currency(2, (2500, 100), 1500),
    "dkk": Currency(2, (746, 100), 250),
    "eur": Currency(2, (1, 1), 50),
    "gbp": Currency(2, (85, 100), 30),
    "hkd": Currency(2, (840, 100), 400),
    "huf": Currency(2, (400, 1), 17_500, payout_multiple=100),
    "inr": Currency(2, (90, 1), 50),
    "isk": Currency(2, (150, 1), 10_000, charge_multiple=100, payout_multiple=100),
    "jpy": Currency(0, (160, 1), 50),
    "krw": Currency(0, (1500, 1), 100),
    "kwd": Currency(3, (33, 100), 150, charge_multiple=10, payout_multiple=10),
    "mxn": Currency(2, (20, 1), 1000),
    "nok": Currency(2, (1160, 100), 300),
    "nzd": Currency(2, (180, 100), 50),
    "pln": Currency(2, (430, 100), 200),
    "ron": Currency(2, (500, 100), 200),
    "sek": Currency(2, (1130, 100), 300),
    "sgd": Currency(2, (145, 100), 50),
    "twd": Currency(2, (35, 1), 1500, payout_multiple=100),
    "ugx": Currency(2, (4000, 1), 200_000, charge_multiple=100, payout_multiple=100),
    "usd": Currency(2, (108, 100), 50),
    "zar": Currency(2, (20, 1), 1000),
}

# Settlement currency -> (basis points, fixed part in the smallest unit) per successful charge.
FEES = {
    "aud": (170, 30),
    "cad": (290, 30),
    "chf": (290, 30),
    "czk": (150, 650),
    "dkk": (150, 180),
    "eur": (150, 25),
    "gbp": (150, 20),
    "jpy": (360, 0),
    "nok": (240, 200),
    "nzd": (270, 30),
    "pln": (150, 100),
    "ron": (150, 100),
    "sek": (150, 180),
    "sgd": (340, 50),
    "usd": (290, 30),
}

_EURO_COUNTRIES = re.findall("..", "ATBEBGCYDEEEESFIFRGRHRIEITLTLULVMTNLPTSISK")
SETTLEMENT_CURRENCIES = dict.fromkeys(_EURO_COUNTRIES, "eur") | {
    "AU": "aud",
    "CA": "cad",
    "CH": "chf",
    "CZ": "czk",
    "DK": "dkk",
    "GB": "gbp",
    "JP": "jpy",
    "NO": "nok",
    "NZ": "nzd",
    "PL": "pln",
    "RO": "ron",
    "SE": "sek",
    "SG": "sgd",
    "US": "usd",
}


def check_currency(code: str) -> str:
    """Return the lower-case code; raises StripeError (400) for one that is not supported."""
    lower = code.lower()
    if lower not in CURRENCIES:
        raise invalid_parameter(
            f"Invalid currency: {code[:20]}. Stripe currently supports these currencies: "
            f"{', '.join(CURRENCIES)}",
            "currency",
        )
    return lower


def check_amount(amount: int, currency: str, settlement: str) -> None:
    """Raise StripeError (400) unless `amount` of `currency` can be charged and settled."""
    facts = CURRENCIES[currency]
    if amount > AMOUNT_MAX:
        shown = displayed(AMOUNT_MAX, currency)
        raise invalid_parameter(
            f"Amount must be no more than {shown}", "amount", "amount_too_large"
        )
    if amount % facts.charge_multiple:
        raise invalid_parameter(
            f"Amounts in {currency} must be a multiple of {facts.charge_multiple}",
            "amount",
            "invalid_charge_amount_no_decimal_compatible",
        )
    minimum = CURRENCIES[settlement].amount_min
    if convert(amount, currency, settlement)[0] >= minimum:
        return
    shown = displayed(minimum, settlement)
    verb = "be" if currency == settlement else "convert to"
    raise invalid_parameter(f"Amount must {verb} at least {shown}", "amount", "amount_too_small")


def displayed(amount: int, currency: str) -> str:
    """Return an amount for people, e.g. `0.50 eur`."""
    digits = CURRENCIES[currency].digits
    if digits == 0:
        return f"{amount} {currency}"
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d} {currency}"


def convert(amount: int, source: str, target: str) -> tuple[int, float | None]:
    """Return the amount in `target` and the rate between the smallest units (None if the same).

    The rate has six decimals, so that round_half_up(amount * rate) is exactly what is returned.
    """
    if source == target:
        return amount, None
    bought, sold = CURRENCIES[target], CURRENCIES[source]
    numerator = bought.euro_rate[0] * sold.euro_rate[1] * 10**bought.digits
    denominator = bought.euro_rate[1] * sold.euro_rate[0] * 10**sold.digits
    rate = divide_half_up(numerator * RATE_SCALE, denominator)
    return divide_half_up(amount * rate, RATE_SCALE), rate / RATE_SCALE


def processing_fee(amount: int, settlement: str) -> int:
    """Return Stripe's fee for a charge of `amount` in the settlement currency."""
    basis_points, fixed = FEES[settlement]
    return divide_half_up(amount * basis_points, 10_000) + fixed


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return the quotient of two non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
