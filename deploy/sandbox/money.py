"""Currencies as Stripe counts them: units, limits, processing fees and conversion.

Rules: money is an integer of the smallest unit that Stripe's API uses; every rounding is half up
(only positive amounts are rounded). Rates and fees are fixed,
invented figures near the real ones (docs.stripe.com/currencies, stripe.com/pricing).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.sandbox.errors import invalid_parameter

AMOUNT_MAX = 99_999_999  # Stripe documents eight digits for payment_intent.amount
RATE_SCALE = 1_000_000
RATE_MAX = 1_000_000

# What one euro buys of a currency, as (numerator, denominator) in major units.
Rates = Mapping[str, tuple[int, int]]
NO_RATES: Rates = {}


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

SIGNS = {"eur": "€", "gbp": "£", "jpy": "¥", "usd": "$"}

# Settlement currency -> (basis points, fixed part in the smallest unit) per successful charge.
FEES = {
    "aud": (170, 30),
    "cad": (290, 30),
    "chf": (290, 30),
    "czk": (150, 650),
    "dkk": (150, 180),
    "eur": (150, 25),
    "gbp": (150, 20),
    "huf": (150, 8500),
    "jpy": (360, 0),
    "nok": (240, 200),
    "nzd": (270, 30),
    "pln": (150, 100),
    "ron": (150, 100),
    "sek": (150, 180),
    "sgd": (340, 50),
    "usd": (290, 30),
}

# Settlement currency -> what Stripe takes for a chargeback on a card (stripe.com/pricing).
DISPUTE_FEES = {
    "aud": 2500,
    "cad": 1500,
    "chf": 2000,
    "czk": 50_000,
    "dkk": 15_000,
    "eur": 2000,
    "gbp": 2000,
    "jpy": 1300,
    "nok": 17_500,
    "nzd": 2500,
    "pln": 9000,
    "ron": 10_000,
    "sek": 20_000,
    "sgd": 1500,
    "usd": 1500,
}

_EURO_COUNTRIES = re.findall("..", "ATBEBGCYDEEEESFIFRGRHRIEITLTLULVMTNLPTSISK")
SETTLEMENT_CURRENCIES = dict.fromkeys(_EURO_COUNTRIES, "eur") | {
    "AU": "aud",
    "CA": "cad",
    "CH": "chf",
    "CZ": "czk",
    "DK": "dkk",
    "GB": "gbp",
    "HU": "huf",
    "JP": "jpy",
    "NO": "nok",
    "NZ": "nzd",
    "PL": "pln",
    "RO": "ron",
    "SE": "sek",
    "SG": "sgd",
    "US": "usd",
}


def read_rates(given: Mapping[str, object]) -> dict[str, tuple[int, int]]:
    """Return rates given as what one euro buys, e.g. {"usd": 1.12}; raises ValueError."""
    rates = {}
    for currency, rate in given.items():
        if currency not in CURRENCIES or currency == "eur":
            raise ValueError(f"no rate of {currency[:20]!r} can be moved")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < RATE_MAX:
            raise ValueError(f"the rate of {currency} must be above 0 and below {RATE_MAX}")
        rates[currency] = (round(rate * RATE_SCALE), RATE_SCALE)
    return rates


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


def check_amount(amount: int, currency: str, settlement: str, rates: Rates = NO_RATES) -> None:
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
    if convert(amount, currency, settlement, rates)[0] >= minimum:
        return
    shown = displayed(minimum, settlement)
    verb = "be" if currency == settlement else "convert to"
    raise invalid_parameter(f"Amount must {verb} at least {shown}", "amount", "amount_too_small")


def displayed(amount: int, currency: str) -> str:
    """Return an amount as Stripe's refusals name limits, e.g. `€0.50 eur`."""
    return f"{priced(amount, currency)} {currency}"


def priced(amount: int, currency: str) -> str:
    """Return an amount with its sign, e.g. `€0.50`; currencies without a sign have their code."""
    digits = CURRENCIES[currency].digits
    sign = SIGNS.get(currency, currency.upper())
    if digits == 0:
        return f"{sign}{amount}"
    return f"{sign}{amount // 10**digits}.{amount % 10**digits:0{digits}d}"


def convert(
    amount: int, source: str, target: str, moved: Rates = NO_RATES
) -> tuple[int, float | None]:
    """Return the amount in `target` and the rate between the smallest units (None if the same).

    `moved` has the rates that differ from the table's.

    The rate has six decimals, so that round_half_up(amount * rate) is exactly what is returned.
    """
    if source == target:
        return amount, None
    bought, sold = CURRENCIES[target], CURRENCIES[source]
    buys, sells = moved.get(target, bought.euro_rate), moved.get(source, sold.euro_rate)
    numerator = buys[0] * sells[1] * 10**bought.digits
    denominator = buys[1] * sells[0] * 10**sold.digits
    rate = divide_half_up(numerator * RATE_SCALE, denominator)
    return divide_half_up(amount * rate, RATE_SCALE), rate / RATE_SCALE


def processing_fee(amount: int, settlement: str) -> int:
    """Return Stripe's fee for a charge of `amount` in the settlement currency."""
    basis_points, fixed = FEES[settlement]
    return divide_half_up(amount * basis_points, 10_000) + fixed


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return the quotient of two non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
