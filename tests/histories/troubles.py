"""Steps of time and trouble: hours and weeks pass, Stripe fails, figures come late."""

from datetime import timedelta
from typing import Any

from tests.histories.play import COUNTRIES, Play, pick
from tests.histories.step import Kind, Step, Table

#: What Stripe does to some of the next requests. `drop`: the work is done, the answer is lost.
FAULTS: dict[str, dict[str, Any]] = {
    "answers 409": {"action": "answer", "status": 409},
    "answers 429": {"action": "answer", "status": 429},
    "answers 500, and remembers it for the key": {"action": "answer", "status": 500},
    "answers 503": {"action": "answer", "status": 503},
    "does the work and hangs up": {"action": "drop"},
}


async def found(play: Play, step: Step) -> str | None:
    if len(play.organizations) >= 3:
        return None
    dice = step.random("found")
    country, funds = dice.choice(list(COUNTRIES)), dice.randint(1, 3)
    made = await play.found(f"o{step.number}", country, funds)
    return f"organization {made.tag} in {country} with {funds} funds in {made.currency}"


async def wait(play: Play, step: Step) -> str | None:
    dice = step.random("wait")
    span = timedelta(hours=dice.choice((1, 6, 25, 24 * 3, 24 * 8)))
    await play.advance(span)
    return f"{span} pass"


async def fail(play: Play, step: Step) -> str | None:
    dice = step.random("fail")
    what, fault = dice.choice(list(FAULTS.items()))
    method, count = dice.choice(("POST", "POST", "GET")), dice.randint(1, 3)
    play.sandbox.faults.add({"method": method, "count": count, **fault})
    return f"Stripe {what} at the next {count} {method}s"


async def book_late(play: Play, step: Step) -> str | None:
    late = play.sandbox.world.late
    enabled = not late.enabled
    await play.sandbox.control("late_transactions", enabled=enabled)
    if not enabled:
        await play.sandbox.control("late_transactions/release")
    return "balance transactions come late" if enabled else "balance transactions come at once"


async def work(play: Play, step: Step) -> str | None:
    await play.work(step.random("more"), 15)
    return "the platform catches up"


async def retry(play: Play, step: Step) -> str | None:
    await play.machinery.retry()
    return "what was parked is tried again"


async def make_rounds(play: Play, step: Step) -> str | None:
    await play.machinery.reconciling.sweep(play.accounts())
    return "rounds are made: undelivered events, what is stuck, payouts that are due"


async def compare(play: Play, step: Step) -> str | None:
    await play.machinery.reconciling.compare(play.accounts())
    return "every account is compared with the ledger"


async def restrict(play: Play, step: Step) -> str | None:
    """Stripe takes charges or payouts away from an account, or gives everything back."""
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    given = step.random("restrict").choice(
        (
            {"charges_enabled": True, "payouts_enabled": True},
            {"charges_enabled": True, "payouts_enabled": True},
            {"charges_enabled": False},
            {"payouts_enabled": False},
        )
    )
    await play.sandbox.control(f"accounts/{organization.account}", **given)
    return f"Stripe changes the account of {organization.tag}: {given}"


async def price(play: Play, step: Step) -> str | None:
    """Stripe gives an account prices of its own, with tax and the networks' costs apart."""
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    dice = step.random("price")
    given = {
        "basis_points": dice.randint(50, 300),
        "fixed": dice.randint(0, 30),
        "tax_basis_points": dice.choice((0, 1900, 2000)),
        "passthrough_basis_points": dice.choice((0, 20)),
    }
    await play.sandbox.control(f"accounts/{organization.account}/pricing", **given)
    return f"Stripe's prices for {organization.tag}: {given}"


TROUBLES: Table = {
    "restrict": Kind(1.5, restrict),
    "price": Kind(0.7, price),
    "make rounds": Kind(3, make_rounds),
    "compare": Kind(0.5, compare),
    "found": Kind(1, found),
    "wait": Kind(5, wait),
    "fail": Kind(5, fail),
    "book late": Kind(1.5, book_late),
    "work": Kind(4, work),
    "retry": Kind(2, retry),
}
