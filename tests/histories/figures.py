"""What must hold of Stripe's own figures, or our agreement with them would be worth nothing.

| figure | rule |
| --- | --- |
| net | amount - fee |
| fee | the sum of `fee_details`; only what is taken back gives fees back |
| amount in another currency | the object's amount x `exchange_rate`, rounded half up |
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.histories.truth import Movement

#: Which amount of its source a movement is about, and whether it comes in or goes out.
SOURCES = {
    "charge": ("amount", 1),
    "charge_failure": ("amount", -1),
    "refund": ("amount", -1),
    "refund_failure": ("amount", 1),
    "dispute": ("amount", -1),
    "dispute_reversal": ("amount", 1),
    "payout": ("amount", -1),
    "payout_reversal": ("amount", 1),
}


#: What may give fees back.
RETURNS = ("charge_failure", "dispute_reversal", "refund", "fee")


def faults(movement: Movement, sources: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with a balance transaction; `sources` are the objects that moved money."""
    body = movement.body
    if body["net"] != body["amount"] - body["fee"]:
        yield f"net {body['net']} is not amount {body['amount']} - fee {body['fee']}"
    if body["fee"] != sum(part["amount"] for part in body["fee_details"]):
        yield f"fee {body['fee']} is not the sum of its details"
    if body["fee"] < 0 and movement.category not in RETURNS:
        yield f"a {movement.category} gives {-body['fee']} of fees back"
    if movement.category in SOURCES:
        field, sign = SOURCES[movement.category]
        source = sources[movement.source]
        rate = Decimal(str(body["exchange_rate"] or 1))
        due = (Decimal(source[field]) * rate).quantize(Decimal(1), ROUND_HALF_UP) * sign
        if body["amount"] != due:
            yield f"amount {body['amount']}, but {field} {source[field]} x {rate} is {due}"
