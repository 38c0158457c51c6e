"""Fetches what a story left at Stripe: objects by name and the account's balance transactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.sandbox.scenarios.reaching import listed
from deploy.sandbox.scenarios.story import Story

Body = Mapping[str, Any]


@dataclass(slots=True)
class Happened:
    """`movements` in order; `named` says what an object is, by its id; `statuses` are those that a
    dispute closed with, in order.
    """

    movements: list[Body]
    objects: dict[str, Body] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)

    def know(self, body: Body, name: str) -> None:
        """Give an object its name."""
        self.objects[body["id"]] = body
        self.named[body["id"]] = name


async def observe(story: Story) -> Happened:
    """All that happened on the account since the story began, as far as it is about the story."""
    account, stripe = story.account, story.stripe
    lines = await listed(stripe, "/v1/balance_transactions", account)
    happened = Happened([line for line in lines if line["id"] not in story.seen])
    for gift, intent in story.gifts.items():
        for charge in await listed(stripe, "/v1/charges", account, payment_intent=intent):
            happened.know(charge, gift)
            for kind in ("refund", "dispute"):
                found = await listed(stripe, f"/v1/{kind}s", account, charge=charge["id"])
                for number, body in enumerate(found, 1):
                    happened.know(body, f"{gift}, {kind} {number}")
    moved = {line["source"] for line in happened.movements}
    new = [payout for payout in await story.payouts() if payout["id"] in moved]
    for number, payout in enumerate(new, 1):
        happened.know(payout, f"payout {number}")
    for event in await listed(stripe, "/v1/events", account, type="charge.dispute.closed"):
        closed = event["data"]["object"]
        happened.statuses.setdefault(closed["id"], []).append(closed["status"])
    return happened
