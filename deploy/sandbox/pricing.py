"""What Stripe takes for a payment: the lines of `fee_details` (stripe.com/pricing).

The tables of `money.py` and `debits.py` hold unless the control API gave an account its own
prices; tax and the networks' costs (`payment_method_passthrough_fee`, under IC+ pricing) are lines
of their own (docs.stripe.com/api/balance_transactions/object).
"""

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from deploy.sandbox import application_fees, balance, instruments
from deploy.sandbox.calls import Call
from deploy.sandbox.money import divide_half_up
from deploy.sandbox.store import Body

POINTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Pricing:
    """An account's own prices, in basis points of the payment (`tax`: of Stripe's own fee).

    `fixed` is in the settlement currency's smallest unit. Without `basis_points` and `fixed` the
    tables' prices hold.
    """

    basis_points: int | None = None
    fixed: int | None = None
    tax_basis_points: int = 0
    passthrough_basis_points: int = 0


def fee_lines(call: Call, charge: Body, amount: int, settlement: str) -> list[Body]:
    """Return everything that is taken off a payment of `amount` in the settlement currency."""
    lines = []
    if charge["application_fee_amount"]:
        part = call.world.convert(charge["application_fee_amount"], charge["currency"], settlement)
        lines.append(application_fees.fee_line(call, part[0], settlement))
    pricing = call.world.pricing.get(call.account)
    if pricing is None:
        fee = instruments.stripe_fee(call, instruments.of_charge(charge), amount, settlement)
        return [*lines, balance.stripe_fee_line(fee, settlement, "Stripe processing fees")]
    own = Pricing(**pricing)
    if own.basis_points is None and own.fixed is None:
        fee = instruments.stripe_fee(call, instruments.of_charge(charge), amount, settlement)
    else:
        fee = divide_half_up(amount * (own.basis_points or 0), POINTS_MAX) + (own.fixed or 0)
    lines.append(balance.stripe_fee_line(fee, settlement, "Stripe processing fees"))
    extras = (
        (fee * own.tax_basis_points, "tax", "VAT"),
        (amount * own.passthrough_basis_points, "payment_method_passthrough_fee", "Network costs"),
    )
    for scaled, kind, description in extras:
        if scaled:
            line = balance.stripe_fee_line(
                divide_half_up(scaled, POINTS_MAX), settlement, description
            )
            lines.append(line | {"type": kind})
    return lines


def change(call: Call, given: dict[str, Any]) -> Body:
    """Give an account prices of its own (control API); an empty body takes them away."""
    for name, value in given.items():
        if name not in Pricing.__dataclass_fields__:
            raise ValueError(f"{name} is none of {', '.join(Pricing.__dataclass_fields__)}")
        limit = POINTS_MAX if name.endswith("basis_points") else 1_000_000
        if type(value) is not int or not 0 <= value <= limit:
            raise ValueError(f"{name} must be an integer from 0 to {limit}")
    call.store.set_setting(f"pricing:{call.account}", orjson.dumps(given).decode())
    return asdict(Pricing(**given))
