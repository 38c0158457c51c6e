"""Which days a payout schedule pays on, and how business days are counted."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from deploy.sandbox.payout_schedule import is_payout_day, next_payout_day
from deploy.sandbox.payouts import add_business_days

DAY_S = 86_400
MONTHLY = {"interval": "monthly", "monthly_anchor": 31}


def midnight(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("schedule", "day", "following"),
    [
        ({"interval": "daily"}, date(2026, 9, 4), date(2026, 9, 7)),
        ({"interval": "weekly", "weekly_anchor": "monday"}, date(2026, 9, 7), date(2026, 9, 14)),
        (
            {"interval": "weekly", "weekly_payout_days": ["monday", "friday"]},
            date(2026, 9, 7),
            date(2026, 9, 11),
        ),
        (MONTHLY, date(2026, 9, 30), date(2026, 10, 31)),
        (MONTHLY, date(2028, 1, 31), date(2028, 2, 29)),
        (
            {"interval": "monthly", "monthly_payout_days": [1, 15]},
            date(2026, 9, 1),
            date(2026, 9, 15),
        ),
    ],
    ids=str,
)
def test_a_schedule_pays_on_its_days(schedule: dict[str, Any], day: date, following: date) -> None:
    assert is_payout_day(schedule, day)
    assert next_payout_day(schedule, day) == following


def test_a_manual_schedule_never_pays() -> None:
    assert not is_payout_day({"interval": "manual"}, date(2026, 9, 7))
    assert next_payout_day({"interval": "manual"}, date(2026, 9, 7)) is None


def test_business_days_leave_weekends_out() -> None:
    friday_noon = midnight(2026, 9, 4) + DAY_S // 2
    assert add_business_days(friday_noon, 1) == midnight(2026, 9, 7)
    assert add_business_days(friday_noon, 2) == midnight(2026, 9, 8)
