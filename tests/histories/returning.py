"""Steps of giving back: refunds asked for here or made in the dashboard, and banks' disputes."""

from random import Random
from typing import Any

from contracts.refunds import RefundRequested
from tests.histories.giving import Tagged
from tests.histories.play import Gift, Organization, Play, Refund, pick
from tests.histories.step import Kind, Step, Table
from tests.workers.bench import message
from topics.registry import REFUNDS_REQUESTED
from workers.gateways.stripe_amounts import from_stripe

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def charges(play: Play, of: Organization | None = None) -> list[Tagged]:
    """The charges of gifts that took money, each with its gift's tag and its account."""
    gifts = {gift.donation: gift for gift in play.gifts}
    found = []
    for organization in [of] if of else play.organizations:
        for account in organization.accounts:
            for body in play.sandbox.objects("charge", account):
                gift = gifts.get(body["metadata"].get("donation", ""))
                if gift is not None and body["captured"] and body["status"] == "succeeded":
                    found.append(Tagged(body | {"tag": gift.tag, "gift": gift, "account": account}))
    return found


def objects(play: Play, kind: str, of: Organization | None = None) -> list[Tagged]:
    """Refunds or disputes of gifts, with their gift's tag and their own place among its."""
    of_charge = {charge["id"]: charge for charge in charges(play, of)}
    found: list[Tagged] = []
    counts: dict[str, int] = {}
    for organization in [of] if of else play.organizations:
        for account in organization.accounts:
            for body in play.sandbox.objects(kind, account):
                charge = of_charge.get(body["charge"])
                if charge is not None:
                    number = counts[charge.tag] = counts.get(charge.tag, 0) + 1
                    tag = f"{kind} {number} of gift {charge.tag}"
                    found.append(Tagged(body | {"tag": tag, "gift": charge["gift"]}))
    return found


def part(dice: Random, charge: dict[str, Any]) -> int | None:
    """Some of a charge in Stripe's units, as whole steps of its currency; None: all of it."""
    chance, amount = dice.random(), charge["amount"]
    if chance < 0.4:
        return None
    piece = int(amount * dice.choice((0.1, 0.3, 0.5))) // 100 * 100
    return piece or None


async def refund(play: Play, step: Step) -> str | None:
    """Somebody here gives money back; now and then more than there is, or much too early."""
    gift = pick(step.dice, play.gifts)
    if gift is None:
        return None
    dice = step.random("refund")
    charge = next((one for one in charges(play) if one["gift"] is gift), None)
    amount_minor = None
    if charge is not None and (piece := part(dice, charge)) is not None:
        amount_minor = from_stripe(piece, charge["currency"].upper())
    if charge is None:  # The edge refuses what is not paid yet as far as it knows.
        return None
    ask_for_refund(play, gift, amount_minor, dice.choice(REASONS))
    return f"a refund of {amount_minor or 'all that is left'} of gift {gift.tag} is asked for"


def ask_for_refund(play: Play, gift: Gift, amount_minor: int | None, reason: Any) -> None:
    """Ask for a refund, as the edge does when it answers 202."""
    body = RefundRequested(
        refund=play.id("rfd"),
        donation=gift.donation,
        amount_minor=amount_minor,
        reason=reason,
        requested_by=play.id("key"),
    )
    now = play.machinery.now()
    play.machinery.send(message(REFUNDS_REQUESTED, gift.organization.id, body, time=now))
    play.refunds.append(Refund(body.refund, gift))


async def refund_in_dashboard(play: Play, step: Step) -> str | None:
    charge = pick(step.dice, charges(play))
    if charge is None:
        return None
    dice = step.random("dashboard")
    piece = part(dice, charge)
    given = {} if piece is None else {"amount": piece}
    status = dice.choice((None, None, "pending", "requires_action"))
    await play.sandbox.control(
        f"charges/{charge['id']}/refunds",
        **given,
        **({} if status is None else {"status": status}),
        **({"fee": 20} if dice.random() < 0.1 else {}),
    )
    return (
        f"{piece or 'the rest'} of gift {charge.tag} is refunded in the dashboard"
        f" ({status or 'as the card does'})"
    )


async def move_refund(play: Play, step: Step) -> str | None:
    open_ones = [
        one
        for one in objects(play, "refund")
        if one["status"] in ("pending", "requires_action", "succeeded")
    ]
    moving = pick(step.dice, open_ones)
    if moving is None:
        return None
    status = step.random("move").choice(("succeeded", "failed", "failed", "canceled"))
    await play.sandbox.control(f"refunds/{moving['id']}", status=status)
    return f"{moving.tag} turns from {moving['status']} to {status}"


async def dispute(play: Play, step: Step) -> str | None:
    charge = pick(step.dice, charges(play))
    if charge is None:
        return None
    dice = step.random("dispute")
    status = dice.choice(
        ("needs_response", "needs_response", "warning_needs_response", "prevented")
    )
    given: dict[str, Any] = {"status": status}
    piece = part(dice, charge)
    if piece is not None:
        # The bank's customer pays in a currency of their own: it may be more than the gift.
        given["amount"] = piece if dice.random() < 0.8 else charge["amount"] + piece
    if status == "prevented":
        given["withdraws"] = dice.random() < 0.5
    await play.sandbox.control(f"charges/{charge['id']}/dispute", **given)
    return f"a bank disputes gift {charge.tag}: {given}"


async def move_dispute(play: Play, step: Step) -> str | None:
    open_ones = [
        one
        for one in objects(play, "dispute")
        if one["status"] not in ("won", "prevented", "warning_closed")
    ]
    moving = pick(step.dice, open_ones)
    if moving is None:
        return None
    dice = step.random("move")
    inquiry = ("warning_under_review", "warning_closed", "needs_response")
    chargeback = ("under_review", "won", "won", "lost")
    status = dice.choice(inquiry if moving["status"].startswith("warning_") else chargeback)
    returned = dice.random() < 0.5
    await play.sandbox.control(f"disputes/{moving['id']}", status=status, fee_returned=returned)
    with_fee = f" (fee {'returned' if returned else 'kept'})" if status == "won" else ""
    return f"{moving.tag} turns from {moving['status']} to {status}{with_fee}"


async def move_rates(play: Play, step: Step) -> str | None:
    dice = step.random("rates")
    rates = {"usd": round(dice.uniform(0.9, 1.3), 4), "gbp": round(dice.uniform(0.7, 1.0), 4)}
    await play.sandbox.control("rates", **rates)
    return f"a euro buys {rates}"


RETURNING: Table = {
    "refund": Kind(6, refund),
    "refund in dashboard": Kind(3, refund_in_dashboard),
    "move refund": Kind(3, move_refund),
    "dispute": Kind(4, dispute),
    "move dispute": Kind(5, move_dispute),
    "move rates": Kind(1, move_rates),
}
