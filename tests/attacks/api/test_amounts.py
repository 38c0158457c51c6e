"""Amounts (case C-13): one reading for every path by which JSON brings one, and no rounding."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.money import AMOUNT_MINOR_MAX
from tests.attacks.api.leaves import leaves

REFUSED: tuple[Any, ...] = (
    *("1,000.00", "1.000,00", "\uff12\uff15", "2500", "1e3", "", "NaN", "0x10", " 5", "-5"),
    *(0.001, 25.0, 1e19, float("nan"), float("inf"), True, False, [5], {"amount": 5}),
    *(-5, -(2**63), AMOUNT_MINOR_MAX + 1, 2**63, 2**70),
)
AMOUNTS = {path: adapter for path, adapter in leaves(int).items() if path.endswith("_minor")}


def test_gifts_and_refunds_bring_amounts() -> None:
    assert {"createDonation amount_minor", "createRefund amount_minor"} <= set(AMOUNTS)


@pytest.mark.parametrize("field", AMOUNTS)
def test_an_amount_is_a_whole_number_of_minor_units_or_refused(field: str) -> None:
    for value in REFUSED:
        with pytest.raises(ValidationError):
            AMOUNTS[field].validate_python(value)
            pytest.fail(f"{field} takes {value!r}")
