"""Steps of payouts: by hand, failing even after they arrived, cancelled, by another schedule."""

from typing import Any

from tests.histories.giving import Tagged
from tests.histories.play import Play, pick
from tests.histories.step import Kind, Step, Table


def payouts(play: Play, *states: str) -> list[Tagged]:
    """The payouts in these states, each with its account and its place among the account's."""
    found = []
    for organization in play.organizations:
        for account in organization.accounts:
            for number, body in enumerate(play.sandbox.objects("payout", account), 1):
                if body["status"] in states:
                    tag = f"payout {number} of {organization.tag}"
                    found.append(Tagged(body | {"tag": tag, "account": account}))
    return found


async def pay_out(play: Play, step: Step) -> str | None:
    """Somebody of the organization pays out by hand, all or some of what is available."""
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    balance = await play.sandbox.ask("GET", "/v1/balance", organization.account)
    available = balance["available"][0]["amount"]
    amount = int(available * step.random("pay out").choice((1.0, 1.0, 0.5, 0.3)))
    if amount <= 0:
        return None
    await play.sandbox.ask(
        "POST",
        "/v1/payouts",
        organization.account,
        amount=amount,
        currency=balance["available"][0]["currency"],
    )
    return f"{organization.tag} pays {amount} of {available} out by hand"


async def fail(play: Play, step: Step) -> str | None:
    payout = pick(step.dice, payouts(play, "pending", "in_transit", "paid"))
    if payout is None:
        return None
    given: dict[str, Any] = {"status": "failed", "failure_code": "account_closed"}
    await play.sandbox.control(f"payouts/{payout['id']}", **given)
    # The bank account is refused from then on, until the organization mends it.
    path = f"accounts/{payout['account']}/external_accounts/{payout['destination']}"
    await play.sandbox.control(path, status="verified")
    return f"{payout.tag} fails, having been {payout['status']}"


async def cancel(play: Play, step: Step) -> str | None:
    payout = pick(step.dice, payouts(play, "pending"))
    if payout is None:
        return None
    path = f"/v1/payouts/{payout['id']}/cancel"
    await play.sandbox.ask("POST", path, payout["account"])
    return f"{payout.tag} is cancelled"


async def schedule(play: Play, step: Step) -> str | None:
    """Who pays out when: Stripe by itself, or Amply when the organization wants it."""
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    dice = step.random("schedule")
    paid_by = dice.choice(("stripe", "amply"))
    interval = dice.choice(("daily", "weekly", "monthly", "manual"))
    await play.machinery.connection.execute(
        SETTINGS,
        organization.id,
        paid_by,
        interval,
        dice.randint(1, 5) if interval == "weekly" else None,
        dice.randint(1, 31) if interval == "monthly" else None,
        dice.choice((0, 0, 5000)),
        play.machinery.now(),
    )
    return f"payouts of {organization.tag} become {interval}, by {paid_by}"


#: What the edge keeps when an organization chooses.
SETTINGS = """
    INSERT INTO edge.payout_settings AS s
        (organization, paid_by, interval, weekday, month_day, minimum_minor, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (organization) DO UPDATE
    SET paid_by = excluded.paid_by, interval = excluded.interval, weekday = excluded.weekday,
        month_day = excluded.month_day, minimum_minor = excluded.minimum_minor,
        changed_at = excluded.changed_at
"""


PAYING_OUT: Table = {
    "pay out": Kind(3, pay_out),
    "fail payout": Kind(2, fail),
    "cancel payout": Kind(1, cancel),
    "schedule": Kind(1.5, schedule),
}
