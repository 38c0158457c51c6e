"""Automatic payouts: on which days an account is paid, and what is paid then.

Each midnight (UTC) at which money of an account becomes available, the account's day is looked at:
`balance.available` is told, and if it is a day of its schedule, what is available is paid out, per
currency that has a usable bank account (docs.stripe.com/connect/manage-payout-schedule).
"""

import calendar
from datetime import UTC, date, datetime, timedelta

from deploy.sandbox import balance, external_accounts, payouts, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.money import CURRENCIES
from deploy.sandbox.standing import BANK_USABLE
from deploy.sandbox.store import Body

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEARCHED_DAYS = 63


def day_of(seconds: int) -> date:
    """Return the UTC day of a moment in Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC).date()


def is_payout_day(schedule: Body, day: date) -> bool:
    """Say whether a schedule pays on a day; a day of month past the month's end is its last."""
    match schedule["interval"]:
        case "daily":
            return day.weekday() < len(_WEEKDAYS) - 2
        case "weekly":
            anchors = schedule.get("weekly_payout_days") or [schedule["weekly_anchor"]]
            return _WEEKDAYS[day.weekday()] in anchors
        case "monthly":
            anchors = schedule.get("monthly_payout_days") or [schedule["monthly_anchor"]]
            last = calendar.monthrange(day.year, day.month)[1]
            return day.day in {min(anchor, last) for anchor in anchors}
    return False


def next_payout_day(schedule: Body, after: date) -> date | None:
    """Return the first day after `after` on which a schedule pays, or None if none does."""
    days = (after + timedelta(days=number) for number in range(1, _SEARCHED_DAYS))
    return next((day for day in days if is_payout_day(schedule, day)), None)


@timers.on(balance.DAY)
def look_at_day(call: Call) -> None:
    """Tell what became available, and pay it out or wait for the schedule's next day."""
    account = call.store.get(call.world.platform, "account", call.account)
    if account is None:
        return
    if balance.became_available(call):
        call.emit("balance.available", balance.retrieve_balance(call))
    schedule, today = account["settings"]["payouts"]["schedule"], day_of(call.now)
    if is_payout_day(schedule, today):
        if account["payouts_enabled"]:
            pay_out(call, account, forced=False)
        return
    following = next_payout_day(schedule, today)
    if following is not None and any(amount > 0 for amount, _ in balance.sums(call).values()):
        seconds = calendar.timegm(following.timetuple())
        timers.start_once(call, balance.DAY, call.account, seconds)


def pay_out_available(call: Call) -> list[Body]:
    """Pay out what is available, whatever the schedule and the bank account (control API)."""
    return pay_out(call, balance.account_of(call, call.account), forced=True)


def pay_out(call: Call, account: Body, *, forced: bool) -> list[Body]:
    """Make one automatic payout for each currency with money and somewhere to send it.

    Nothing is paid while a balance is negative: later gifts fill it first. Where payouts must
    divide by more than one unit (HUF), the rest stays for the next one.
    """
    made = []
    for currency, (available, _) in balance.sums(call).items():
        bank = external_accounts.default_of(account, currency)
        usable = bank is not None and bank["status"] in BANK_USABLE
        transactions, unpaid = balance.take_for_payout(call, currency)
        amount = min(available, unpaid)
        amount -= amount % CURRENCIES[currency].payout_multiple
        if amount <= 0 or not (usable or forced):
            continue
        payout = payouts.make(call, amount, currency, bank, automatic=True)
        transactions.append(payout["balance_transaction"])
        balance.assign_to_payout(call, transactions, payout["id"])
        made.append(payout)
    return made
