"""When Amply pays out: due days, holds, second attempts. A table each."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workers.gateways.stripe_amounts import payable
from workers.payouts import schedule
from workers.payouts.schedule import Account, Attempt, Idle, NoteFailure, Resolve, Settings, Try

NOW = datetime(2028, 2, 29, 9, 0, tzinfo=UTC)  # a Tuesday
TODAY = NOW.date()
DAILY = Settings("amply", "daily", None, None, 0, False)
ACCOUNT = Account("acct_1", True, True, None, (), "ba_1", "new")
FAILED = Attempt(TODAY, 1, 5000, "failed", "ba_1", True, NOW)


def weekly(day: int) -> Settings:
    return replace(DAILY, interval="weekly", weekday=day)


def monthly(day: int) -> Settings:
    return replace(DAILY, interval="monthly", month_day=day)


@pytest.mark.parametrize(
    ("settings", "done_on", "due"),
    [
        (DAILY, None, TODAY),
        (DAILY, TODAY - timedelta(days=3), TODAY),
        (DAILY, TODAY, None),
        (replace(DAILY, interval="manual"), None, None),
        (weekly(2), TODAY - timedelta(days=7), TODAY),
        (weekly(1), TODAY - timedelta(days=8), date(2028, 2, 28)),
        (weekly(3), date(2028, 2, 23), None),
        (monthly(31), date(2028, 1, 31), TODAY),
        (monthly(30), date(2028, 1, 30), TODAY),
        (monthly(1), date(2028, 2, 1), None),
        (monthly(1), date(2028, 1, 1), date(2028, 2, 1)),
    ],
)
def test_which_day_is_due(settings: Settings, done_on: date | None, due: date | None) -> None:
    assert schedule.due_on(settings, TODAY, done_on) == due


def test_a_monthly_day_never_drifts_over_a_year() -> None:
    days, done = [], date(2026, 12, 31)
    for number in range(366):
        today = date(2027, 1, 1) + timedelta(days=number)
        if due := schedule.due_on(monthly(31), today, done):
            days.append(due)
            done = due
    assert [day.day for day in days] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


@pytest.mark.parametrize(
    ("settings", "account", "held"),
    [
        ({}, {}, None),
        ({"under_review": True}, {}, "under_review"),
        ({}, {"authorized": False}, "account_unavailable"),
        ({}, {"payouts_enabled": False}, "payouts_disabled"),
        ({}, {"disabled_reason": "rejected.fraud"}, "account_restricted"),
        ({}, {"disabled_reason": "requirements.pending_verification"}, "verification_pending"),
        ({}, {"in_review": ("external_account",)}, "verification_pending"),
        ({}, {"in_review": ("individual.id_number",)}, None),
        ({}, {"bank_status": "errored"}, "bank_account_refused"),
    ],
)
def test_what_holds_payouts(
    settings: dict[str, Any], account: dict[str, Any], held: str | None
) -> None:
    step = schedule.next_step(
        replace(DAILY, **settings), replace(ACCOUNT, **account), None, None, NOW
    )
    assert step == (Idle(held) if held else Try(TODAY, 1))  # type: ignore[arg-type] # a word of the table


@pytest.mark.parametrize(
    ("last", "account", "now", "step"),
    [
        (replace(FAILED, state="calling", ended_at=None), {}, NOW, "resolve"),
        (replace(FAILED, state="calling", ended_at=None), {"authorized": False}, NOW, "resolve"),
        (replace(FAILED, state="created"), {}, NOW, "note"),
        (replace(FAILED, state="created", has_failed=False), {}, NOW, Idle()),
        (FAILED, {}, NOW + timedelta(hours=23), Idle("retry_waits")),
        (FAILED, {}, NOW + timedelta(days=1), Try(TODAY, 2)),
        (FAILED, {"payouts_enabled": False}, NOW + timedelta(days=1), Idle("payouts_disabled")),
        (replace(FAILED, attempt=2), {}, NOW + timedelta(days=400), Idle("payout_failed")),
        (replace(FAILED, attempt=2), {"bank_account": "ba_2"}, NOW, Idle()),
        (
            replace(FAILED, attempt=2),
            {"bank_account": "ba_2"},
            NOW + timedelta(days=1),
            Try(TODAY + timedelta(days=1), 1),
        ),
    ],
)
def test_what_follows_an_attempt(
    last: Attempt, account: dict[str, Any], now: datetime, step: Any
) -> None:
    expected = {"resolve": Resolve(last), "note": NoteFailure(last)}.get(str(step), step)
    found = schedule.next_step(DAILY, replace(ACCOUNT, **account), TODAY, last, now)
    assert found == expected


@pytest.mark.parametrize(
    ("currency", "available", "amount", "remainder"),
    [
        ("HUF", 80045, 80000, 45),
        ("TWD", 80045, 80000, 45),
        ("ISK", 80045, 80000, 45),
        ("UGX", 80045, 80000, 45),
        ("HUF", 45, 0, 45),
        ("HUF", -300, 0, -300),
        ("EUR", 80045, 80045, 0),
        ("JPY", 501, 501, 0),
        ("KWD", 18605, 18600, 5),
    ],
)
def test_what_of_a_balance_one_payout_can_carry(
    currency: str, available: int, amount: int, remainder: int
) -> None:
    assert payable(available, currency) == (amount, remainder)


@pytest.mark.parametrize(
    ("settings", "spelled"),
    [
        (DAILY, {"interval": "manual"}),
        (replace(DAILY, paid_by="stripe"), {"interval": "daily"}),
        (replace(DAILY, paid_by="stripe", under_review=True), {"interval": "manual"}),
        (replace(weekly(5), paid_by="stripe"), {"interval": "weekly", "weekly_anchor": "friday"}),
        (replace(monthly(31), paid_by="stripe"), {"interval": "monthly", "monthly_anchor": 31}),
    ],
)
def test_the_schedule_that_stripe_is_given(settings: Settings, spelled: dict[str, Any]) -> None:
    assert schedule.stripes_schedule(settings) == spelled
