"""The steps that stories are made of: each is a function that returns one, for the tables."""

from fractions import Fraction
from typing import Any, Final, Literal

from deploy.sandbox.money import CURRENCIES
from deploy.sandbox.scenarios.story import Step, Story, money

DAY_S: Final = 86_400
GIFT: Final = "gift 1"
SETTLED: Final = "settled"
OTHER: Final = "other"


def give(
    gift: str = GIFT, method: str = "pm_card_visa", currency: str = SETTLED, times: int = 1
) -> Step:
    """A gift of a drawn amount: 10 to 90 euros' worth, `times` so large."""

    async def act(story: Story) -> str:
        code = {SETTLED: story.settled, OTHER: story.other}.get(currency, currency)
        buys, per = CURRENCIES[code].euro_rate
        unit = 10 ** CURRENCIES[code].digits * buys // per
        step = max(CURRENCIES[code].charge_multiple, 1)
        amount = max(unit * story.dice.randint(1000, 9000) // 100 * times // step, 1) * step
        intent = await story.giver.give(story.account, amount, code, method)
        status = "refused"
        if intent is not None:
            story.gifts[gift] = intent
            path = f"/v1/payment_intents/{intent}"
            status = (await story.stripe.ask("GET", path, story.account))["status"]
        return f"{gift}: {money(amount, code)} by {method}: {status}"

    return Step(act)


def authenticate(outcome: Literal["succeeded", "failed"], gift: str = GIFT) -> Step:
    """The donor answers their bank's question."""

    async def act(story: Story) -> str:
        await story.control(f"payment_intents/{story.gifts[gift]}/authentication", outcome=outcome)
        return f"3-D Secure of {gift} {outcome}"

    return Step(act)


def refund(part: Fraction | None = None, gift: str = GIFT, status: str | None = None) -> Step:
    """A refund in the Dashboard: a part of the gift, or all that is left of it."""

    async def act(story: Story) -> str:
        charge = await story.charge(gift)
        given: dict[str, Any] = {} if status is None else {"status": status}
        if part is not None:
            step = CURRENCIES[charge["currency"]].charge_multiple
            given["amount"] = int(charge["amount"] * part) // step * step
        made = await story.control(f"charges/{charge['id']}/refunds", **given)
        shown = money(made["amount"], made["currency"])
        return f"{shown} of {gift} are refunded: {made['status']}"

    return Step(act)


def refund_becomes(status: str, gift: str = GIFT) -> Step:
    """The newest refund of a gift goes on."""

    async def act(story: Story) -> str:
        found = await story.of_charge("refund", gift)
        await story.control(f"refunds/{found['id']}", status=status)
        return f"the refund of {gift} is {status}"

    return Step(act)


def dispute(part: Fraction | None = None, gift: str = GIFT, **given: Any) -> Step:
    """The donor's bank disputes a gift, all of it or a part."""

    async def act(story: Story) -> str:
        charge = await story.charge(gift)
        asked = dict(given)
        if part is not None:
            asked["amount"] = int(charge["amount"] * part)
        made = await story.control(f"charges/{charge['id']}/dispute", **asked)
        shown = money(made["amount"], made["currency"])
        return f"the bank disputes {shown} of {gift}: {made['status']}"

    return Step(act)


def dispute_becomes(status: str, gift: str = GIFT, *, fee_returned: bool = True) -> Step:
    """The bank decides."""

    async def act(story: Story) -> str:
        found = await story.of_charge("dispute", gift)
        await story.control(f"disputes/{found['id']}", status=status, fee_returned=fee_returned)
        fee = "" if status != "won" or fee_returned else ", its fee is kept"
        return f"the dispute of {gift} is {status}{fee}"

    return Step(act)


def other_money_is_worth(percent: int) -> Step:
    """The other currency buys so much of what it did (the table's rate, not the last one)."""

    async def act(story: Story) -> str:
        moved = story.other if story.other != "eur" else story.settled
        buys, per = CURRENCIES[moved].euro_rate
        worth = percent if moved == story.other else 10_000 / percent
        await story.control("rates", **{moved: buys / per * 100 / worth})
        return f"{story.other.upper()} is worth {percent} % of before"

    return Step(act)


def wait(days: int = 0, minutes: int = 0) -> Step:
    """Time passes at Stripe."""

    async def act(story: Story) -> str:
        await story.control("clock", advance_s=days * DAY_S + minutes * 60)
        return f"{days} days pass" if days else f"{minutes} minutes pass"

    return Step(act)


def pay_out() -> Step:
    """All money becomes available and goes to the bank."""

    async def act(story: Story) -> str:
        await story.control(f"accounts/{story.account}/settle")
        made = (await story.control(f"accounts/{story.account}/payouts", paid=True))["payouts"]
        if not made:
            return "nothing can be paid out"
        shown = " and ".join(money(one["amount"], one["currency"]) for one in made)
        return f"{shown} arrive at the bank"

    return Step(act)


def payout_fails() -> Step:
    """The bank sends the newest payout back after all."""

    async def act(story: Story) -> str:
        newest = (await story.payouts())[-1]
        await story.control(f"payouts/{newest['id']}", status="failed")
        return "the bank sends it back: account_closed"

    return Step(act)


def account(sentence: str, **given: Any) -> Step:
    """Stripe decides about the account (control API, `accounts/{id}`)."""

    async def act(story: Story) -> str:
        await story.control(f"accounts/{story.account}", **given)
        return sentence

    return Step(act)


def never_below_zero(*, is_on: bool) -> Step:
    """Whether Stripe lets refunds wait for money instead of debiting the bank."""

    async def act(story: Story) -> str:
        name = "settings[payouts][debit_negative_balances]"
        changes = {name: "false" if is_on else "true"}
        await story.stripe.ask("POST", f"/v1/accounts/{story.account}", **changes)
        return "refunds wait for money" if is_on else "refunds need not wait for money"

    return Step(act)


def fee(amount: int, kind: str = "stripe_fee") -> Step:
    """Stripe takes a fee that no gift caused."""

    async def act(story: Story) -> str:
        await story.control(f"accounts/{story.account}/fees", amount=amount, type=kind)
        return f"Stripe takes {money(amount, story.settled)}: {kind}"

    return Step(act)


def late(*, is_on: bool) -> Step:
    """Whether balance transactions come with their charge or wait."""

    async def act(story: Story) -> str:
        await story.control("late_transactions", enabled=is_on)
        if is_on:
            return "balance transactions come late"
        await story.control("late_transactions/release")
        return "the balance transactions come"

    return Step(act)
