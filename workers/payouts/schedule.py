"""When Amply pays an organization out, and why not. Pure: no await, no clock, no database.

Days are UTC days of the business clock. A day that passed while payouts were held is made up for by
one payout: each of them is of the whole balance.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

State = Literal[
    "ready",
    "negative_balance",
    "nothing_available",
    "minimum_not_reached",
    "account_unavailable",
    "account_restricted",
    "verification_pending",
    "payouts_disabled",
    "bank_account_refused",
    "under_review",
    "retry_waits",
    "payout_failed",
    "refused",
]
ATTEMPTS_MAX: Final = 2
RETRY_WAIT: Final = timedelta(days=1)
#: How a bank account is called that Stripe does not pay to (API, "The bank account object").
_REFUSED_BANKS: Final = frozenset({"errored", "verification_failed"})
_VERIFYING: Final = frozenset({"requirements.pending_verification", "under_review"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the organization wants. `weekday` 1 is Monday; `month_day` 31 is the last one."""

    paid_by: Literal["stripe", "amply"]
    interval: Literal["daily", "weekly", "monthly", "manual"]
    weekday: int | None
    month_day: int | None
    minimum_minor: int
    under_review: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account of the organization's. `in_review` names requirements."""

    account: str
    authorized: bool
    payouts_enabled: bool
    disabled_reason: str | None
    in_review: tuple[str, ...]
    bank_account: str | None
    bank_status: str | None
    is_retired: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest try to pay out. `has_failed` by what Stripe says of its payout."""

    due_on: date
    attempt: int
    amount_minor: int
    state: Literal["calling", "created", "refused", "failed"]
    bank_account: str | None
    has_failed: bool
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is due. `state` is what holds meanwhile; None: what held before."""

    state: State | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """Whatever became of this attempt comes first."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class NoteFailure:
    """The payout of this attempt failed, and nobody noticed yet."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Try:
    """A payout is due."""

    due_on: date
    attempt: int


Step = Idle | Resolve | NoteFailure | Try


def next_step(
    settings: Settings, account: Account, done_on: date | None, last: Attempt | None, now: datetime
) -> Step:
    """What comes next for one currency of an account that Amply pays out."""
    if last is not None and last.state == "calling":
        return Resolve(last)
    if last is not None and last.state == "created" and last.has_failed:
        return NoteFailure(last)
    held = hold(settings, account)
    if held is not None:
        return Idle(held)
    if last is not None and last.state == "failed" and last.bank_account == account.bank_account:
        assert last.ended_at is not None
        if last.attempt >= ATTEMPTS_MAX:
            return Idle("payout_failed")
        if now < last.ended_at + RETRY_WAIT:
            return Idle("retry_waits")
        return Try(last.due_on, last.attempt + 1)
    due = due_on(settings, now.date(), done_on)
    if due is None:
        return Idle()
    tried = last is not None and last.due_on == due
    return Try(due, last.attempt + 1 if last is not None and tried else 1)


def hold(settings: Settings, account: Account) -> State | None:
    """Why no payout of the account may be made, whatever is due."""
    if settings.under_review:
        return "under_review"
    if not account.authorized:
        return "account_unavailable"
    if account.disabled_reason in _VERIFYING or "external_account" in account.in_review:
        return "verification_pending"
    if account.disabled_reason is not None:
        return "account_restricted"
    if account.bank_status in _REFUSED_BANKS:
        return "bank_account_refused"
    if not account.payouts_enabled:
        return "payouts_disabled"
    return None


#: Those that end by themselves when their cause does; the others stand until the next due day.
HOLDS: Final[frozenset[State]] = frozenset(
    {
        "under_review",
        "account_unavailable",
        "verification_pending",
        "account_restricted",
        "bank_account_refused",
        "payouts_disabled",
        "retry_waits",
        "payout_failed",
    }
)


def due_on(settings: Settings, today: date, done_on: date | None) -> date | None:
    """The newest day of the schedule up to today, unless it was done."""
    if settings.interval == "manual":
        return None
    newest = today
    if settings.interval == "weekly":
        assert settings.weekday is not None
        newest = today - timedelta(days=(today.isoweekday() - settings.weekday) % 7)
    elif settings.interval == "monthly":
        assert settings.month_day is not None
        newest = _in_month(today, settings.month_day)
        if newest > today:
            newest = _in_month(today.replace(day=1) - timedelta(days=1), settings.month_day)
    return newest if done_on is None or newest > done_on else None


def _in_month(day: date, month_day: int) -> date:
    last = calendar.monthrange(day.year, day.month)[1]
    return day.replace(day=min(month_day, last))


def stripes_schedule(settings: Settings) -> dict[str, str | int]:
    """The schedule that the account has at Stripe meanwhile (API, "settings.payouts.schedule")."""
    if settings.paid_by == "amply" or settings.under_review or settings.interval == "manual":
        return {"interval": "manual"}
    if settings.interval == "weekly":
        assert settings.weekday is not None
        anchor = calendar.day_name[settings.weekday - 1].lower()
        return {"interval": "weekly", "weekly_anchor": anchor}
    if settings.interval == "monthly":
        assert settings.month_day is not None
        return {"interval": "monthly", "monthly_anchor": settings.month_day}
    return {"interval": "daily"}


#: What accounts have that Amply never touched.
STRIPES_DEFAULT: Final[Mapping[str, str | int]] = {"interval": "daily"}
