"""A paid gift at the sandbox, what is asked of it, and what its entries add up to."""

from collections.abc import Sequence
from typing import Any

from contracts.entries import EntryRequested
from contracts.looks import PaymentLookRequested
from contracts.message import Envelope
from contracts.payments import PaymentCaptured
from contracts.refunds import RefundRequested
from tests.workers.bench import bodies, message, new
from tests.workers.payments.conftest import Scene
from topics.registry import PAYMENTS_LOOK_REQUESTED, REFUNDS_REQUESTED
from workers.fees.decisions import donation_entry
from workers.payments.worker import WORKER


class Paid:
    """A gift whose money is on the account. `entries` are all that were requested so far."""

    def __init__(self, scene: Scene, captured: PaymentCaptured) -> None:
        self.scene, self.captured = scene, captured
        self.charge, self.donation = captured.charge, captured.donation.donation
        self.entries: list[EntryRequested] = [donation_entry(captured)]

    async def settle(self, *messages: Envelope[Any]) -> list[Any]:
        """The bodies that were sent, entries apart."""
        sent = await self.scene.settle(*messages)
        assert await self.scene.bench.set_aside(WORKER) == []
        assert len({each.id for each in sent}) == len(sent)
        self.entries += bodies(sent, EntryRequested)
        return [each.body for each in sent if not isinstance(each.body, EntryRequested)]

    def request(self, amount_minor: int | None = None, **changes: Any) -> Envelope[RefundRequested]:
        values = {
            "refund": new("rfd"),
            "donation": self.donation,
            "amount_minor": amount_minor,
            "reason": "requested_by_customer",
            "requested_by": new("key"),
        }
        time = {"time": changes.pop("time")} if "time" in changes else {}
        body = RefundRequested(**values | changes)
        return message(REFUNDS_REQUESTED, self.scene.organization, body, **time)

    def look(self, found: str) -> Envelope[PaymentLookRequested]:
        body = PaymentLookRequested(
            account=self.scene.account, object=found, reason="unbooked_movement"
        )
        return message(PAYMENTS_LOOK_REQUESTED, self.scene.organization, body)

    async def in_dashboard(self, **given: Any) -> str:
        made = await self.scene.sandbox.control(f"charges/{self.charge}/refunds", **given)
        identifier: str = made["id"]
        return identifier

    async def refunds(self) -> list[Any]:
        listed = await self.scene.sandbox.ask(
            "GET", f"/v1/refunds?charge={self.charge}", account=self.scene.account
        )
        found: list[Any] = listed["data"]
        return found

    def balances(self) -> dict[str, int]:
        return balances_of(self.entries)

    async def stripe_minor(self) -> int:
        """What Stripe holds, by the sum of its balance transactions."""
        body = await self.scene.sandbox.ask("GET", "/v1/balance", account=self.scene.account)
        return sum(part["amount"] for when in ("available", "pending") for part in body[when])

    async def assert_agrees(self) -> None:
        """The ledger's money at Stripe is Stripe's, to the cent."""
        assert self.balances().get("Assets:Stripe", 0) == await self.stripe_minor()

    async def assert_does_not_agree(self) -> None:
        """Something that Stripe moved is not booked yet."""
        assert self.balances().get("Assets:Stripe", 0) != await self.stripe_minor()


def balances_of(entries: Sequence[EntryRequested]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for entry in entries:
        for posting in entry.postings or ():
            sums[posting.account] = sums.get(posting.account, 0) + int(posting.amount)
    return {account: amount for account, amount in sums.items() if amount}


async def paid(scene: Scene, **changes: Any) -> Paid:
    """A gift of 100.00 that was charged and captured."""
    values = {"amount_minor": 10_000, "charge_amount_minor": 10_000}
    promised = scene.gift(**values | changes)
    await scene.settle(promised)
    attempt = await scene.attempt(promised.body.donation)
    done = scene.event("payment_intent.succeeded", attempt["payment_intent"])
    [captured] = bodies(await scene.settle(done), PaymentCaptured)
    return Paid(scene, captured)
