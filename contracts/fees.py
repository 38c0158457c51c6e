"""Fees that a donor may cover: an estimate before the charge, exact in its arithmetic.

The ledger never books an estimate; it books the fee of Stripe's balance transaction.
"""

from dataclasses import dataclass
from typing import Final

from contracts.money import charge_step

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A processor's price: `rate_basis_points` (1/10 000) of the charge, plus `fixed_minor`."""

    rate_basis_points: int
    fixed_minor: int

    def fee_minor(self, charge_minor: int) -> int:
        """The fee on a charge, rounded half up to the minor unit."""
        return (charge_minor * self.rate_basis_points + 5_000) // _WHOLE + self.fixed_minor


#: Published list prices for domestic cards (stripe.com/pricing of each country), by presentment
#: currency.
SCHEDULES: Final = {
    "AED": FeeSchedule(290, 100),
    "AUD": FeeSchedule(170, 30),
    "BRL": FeeSchedule(399, 39),
    "CAD": FeeSchedule(290, 30),
    "CHF": FeeSchedule(290, 30),
    "CZK": FeeSchedule(150, 650),
    "DKK": FeeSchedule(150, 180),
    "EUR": FeeSchedule(150, 25),
    "GBP": FeeSchedule(150, 20),
    "HKD": FeeSchedule(340, 235),
    "HUF": FeeSchedule(150, 8_500),
    "JPY": FeeSchedule(360, 0),
    "MXN": FeeSchedule(360, 300),
    "MYR": FeeSchedule(300, 100),
    "NOK": FeeSchedule(240, 200),
    "NZD": FeeSchedule(270, 30),
    "PLN": FeeSchedule(150, 100),
    "RON": FeeSchedule(150, 100),
    "SEK": FeeSchedule(150, 180),
    "SGD": FeeSchedule(340, 50),
    "THB": FeeSchedule(365, 1_000),
    "USD": FeeSchedule(290, 30),
}

#: Elsewhere: nobody is at home in the currency, so it is a foreign card's price with conversion,
#: its fixed part (some cents) taken as a share of the charge.
ESTIMATE: Final = FeeSchedule(550, 0)


def schedule_of(currency: str) -> FeeSchedule:
    """The price to reckon with for a charge in this currency."""
    return SCHEDULES.get(currency, ESTIMATE)


def platform_fee(charge_minor: int, basis_points: int, step: int = 1) -> int:
    """The platform's share of a charge, rounded down to what Stripe can take."""
    return charge_minor * basis_points // (_WHOLE * step) * step


def gross_up(
    gift_minor: int, schedule: FeeSchedule, platform_basis_points: int = 0, step: int = 1
) -> int:
    """The least multiple of `step` that leaves at least the gift when both fees are taken off.

    The common shortcut, fee of the gift added to the gift, leaves too little, since the fee is
    taken from the larger charge.
    """
    keep = _WHOLE - schedule.rate_basis_points - platform_basis_points
    if keep <= 0:
        raise ValueError("the fees take the whole charge")
    # Roundings move what is left by less than a step and a half minor unit: no charge below this
    # one can leave the gift. From here the first that does is the least.
    least = (2 * (gift_minor + schedule.fixed_minor - step) - 1) * _WHOLE // (2 * keep)
    charge = max(step, least // step * step)
    while left_of(charge, schedule, platform_basis_points, step) < gift_minor:
        charge += step
    return charge


def left_of(
    charge_minor: int, schedule: FeeSchedule, platform_basis_points: int = 0, step: int = 1
) -> int:
    """What a charge leaves to the organization by this reckoning."""
    taken = schedule.fee_minor(charge_minor) + platform_fee(
        charge_minor, platform_basis_points, step
    )
    return charge_minor - taken


def charge_for(gift_minor: int, currency: str, platform_basis_points: int = 0) -> int:
    """What a donor pays who covers the fees of a gift in this currency, in minor units."""
    step = charge_step(currency)
    return gross_up(gift_minor, schedule_of(currency), platform_basis_points, step)
