"""Fees that a donor may cover: an estimate before the charge, exact in its arithmetic.

The ledger never books an estimate; it books the fee of Stripe's balance transaction.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A processor's price: `rate_basis_points` (1/10 000) of the charge, plus `fixed_minor`."""

    rate_basis_points: int
    fixed_minor: int

    def fee_minor(self, charge_minor: int) -> int:
        """The fee on a charge, rounded half up to the minor unit."""
        return (charge_minor * self.rate_basis_points + 5_000) // 10_000 + self.fixed_minor


#: Published list prices for domestic cards, by presentment currency.
SCHEDULES: Final = {
    "CHF": FeeSchedule(290, 30),
    "EUR": FeeSchedule(150, 25),
    "GBP": FeeSchedule(150, 20),
    "USD": FeeSchedule(290, 30),
}


def gross_up(gift_minor: int, schedule: FeeSchedule) -> int:
    """The least charge whose fee leaves at least the gift: charge − fee(charge) >= gift.

    The common shortcut, fee of the gift added to the gift, leaves too little, since the fee is
    taken from the larger charge.
    """
    keep = 10_000 - schedule.rate_basis_points
    charge = -(-(gift_minor + schedule.fixed_minor) * 10_000 // keep)
    while charge - 1 - schedule.fee_minor(charge - 1) >= gift_minor:
        charge -= 1
    while charge - schedule.fee_minor(charge) < gift_minor:
        charge += 1
    return charge
