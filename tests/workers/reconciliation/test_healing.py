"""What is lost on the way is healed by the workers that book: whole ways, without any webhook."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from contracts.message import Envelope
from tests.workers.bench import Bench, gift
from tests.workers.conftest import Sandbox
from tests.workers.reconciliation.conftest import Scene
from tests.workers.reconciliation.test_sweeping import lose
from topics import codec
from topics.registry import ENTRIES_REQUESTED, PAYMENTS_CAPTURED
from workers.bookkeeping import incoming
from workers.fees.worker import WORKER as FEES
from workers.payments.resources import Payments, open_payments
from workers.payments.worker import WORKER as PAYMENTS
from workers.payouts.looking import Payouts
from workers.payouts.worker import WORKER as PAYOUTS
from workers.payouts.worker import open_payouts
from workers.reconciliation.account import check_ledger, reconcile
from workers.reconciliation.sweeping import sweep


@pytest.fixture
async def payments(
    bench: Bench, sandbox: Sandbox, master_key_file: Path
) -> AsyncIterator[Payments]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payments"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": "https://amply.test",
    }
    async with open_payments(settings) as opened:
        yield opened


@pytest.fixture
async def payouts(bench: Bench, sandbox: Sandbox) -> AsyncIterator[Payouts]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payouts"),
        "AMPLY_ENVIRONMENT": "test",
    }
    async with open_payouts(settings) as opened:
        yield opened


class Platform:
    """The workers between a message and the ledger, driven by hand; webhooks reach nobody."""

    def __init__(self, scene: Scene, payments: Payments, payouts: Payouts) -> None:
        self.scene, self.payments, self.payouts = scene, payments, payouts
        self.entries: list[str] = []

    async def handle(self, messages: Sequence[Envelope[Any]]) -> None:
        """Let payments, fees and the ledger handle messages and what follows from them."""
        bench, requests = self.scene.bench, []
        sent = []
        for worker, opened in ((PAYMENTS, self.payments), (PAYOUTS, self.payouts)):
            topics = {route.topic.name for route in worker.routes}
            own = [one for one in messages if one.type in topics]
            sent += await bench.settle(worker, opened, own)
            assert await bench.set_aside(worker) == []
        requests += [one for one in sent if one.type == ENTRIES_REQUESTED.name]
        captured = [one for one in sent if one.type == PAYMENTS_CAPTURED.name]
        requests += await bench.settle(FEES, None, captured)
        for one in requests:
            record = codec.encode(ENTRIES_REQUESTED, one)
            await self.scene.record(incoming.to_request(codec.decode_plain(
                ENTRIES_REQUESTED, record.headers, record.value
            )))  # fmt: skip
        self.entries += [one.body.kind for one in requests]

    async def heal(self, **how: Any) -> str:
        """Compare, have what is missing looked at, compare again: what that came to."""
        first = await reconcile(self.scene.resources, self.scene.known, **how)
        assert first.outcome == "differs"
        await self.handle(await self.scene.bench.sent())
        return (await reconcile(self.scene.resources, self.scene.known)).outcome


@pytest.fixture
async def platform(scene: Scene, payments: Payments, payouts: Payouts) -> Platform:
    return Platform(scene, payments, payouts)


async def give(platform: Platform) -> Any:
    """A gift that was charged, and of which no event ever came."""
    promised = gift(platform.scene.organization, platform.scene.fund)
    await platform.handle([promised])
    return promised


async def assert_agreed(platform: Platform) -> None:
    scene = platform.scene
    assert await scene.items() == []
    sums = await scene.sums()
    assert sums["balance_minor"] == sums["ledger_minor"] == await scene.balance()
    assert await check_ledger(scene.resources, scene.organization)


async def test_a_lost_webhook_is_healed_by_the_sweep(platform: Platform) -> None:
    scene = platform.scene
    await lose(scene, "payment_intent", "charge")
    await give(platform)
    assert platform.entries == []
    assert await sweep(scene.resources, scene.known) > 0
    await platform.handle(await scene.bench.sent())
    assert platform.entries == ["donation"]
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"
    await assert_agreed(platform)


async def test_a_gift_that_nobody_told_of_is_healed_by_the_comparison(platform: Platform) -> None:
    await give(platform)
    assert await platform.heal() == "agreed"
    assert platform.entries == ["donation"]
    await assert_agreed(platform)
    [healed] = await platform.scene.items(healed=True)
    assert (healed["class"], healed["looks"]) == ("missing_here", 1)


async def test_a_refund_in_the_dashboard_that_nobody_told_of_is_healed(platform: Platform) -> None:
    await give(platform)
    assert await platform.heal() == "agreed"
    [charge] = await platform.scene.bench.fetch(
        "SELECT charge FROM payments.attempts WHERE organization = $1", platform.scene.organization
    )
    await platform.scene.sandbox.control(f"charges/{charge['charge']}/refunds", amount=700)
    assert await platform.heal(at_once=True) == "agreed"
    assert platform.entries == ["donation", "refund"]
    await assert_agreed(platform)


async def test_another_shops_refund_is_foreign_like_its_charge(platform: Platform) -> None:
    scene = platform.scene
    shop = await scene.charge(order="17")
    await scene.sandbox.control(f"charges/{shop['id']}/refunds", amount=700)
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"
    assert set((await scene.classes()).values()) == {("foreign", "no_donation")}
    assert len(await scene.items()) == 2
    sums = await scene.sums()
    assert sums["foreign_minor"] == sums["balance_minor"] == await scene.balance()


async def test_healing_twice_books_once(platform: Platform) -> None:
    scene = platform.scene
    await lose(scene, "payment_intent", "charge")
    await give(platform)
    await reconcile(scene.resources, scene.known)
    await sweep(scene.resources, scene.known)
    looks = await scene.bench.sent()
    await platform.handle(looks)
    await platform.handle(looks)
    assert platform.entries == ["donation"]
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"


async def test_a_deposit_that_nobody_told_of_is_healed(platform: Platform) -> None:
    await give(platform)
    assert await platform.heal() == "agreed"
    scene = platform.scene
    await scene.sandbox.control(f"accounts/{scene.account}/settle")
    payout = await scene.payout(1000)
    await scene.sandbox.control(f"payouts/{payout['id']}", status="paid")
    assert await platform.heal() == "agreed"
    await assert_agreed(platform)
    await scene.sandbox.control(f"payouts/{payout['id']}", status="failed")
    assert await platform.heal() == "agreed"
    assert platform.entries == ["donation", "payout", "payout_failed"]
    await assert_agreed(platform)


async def test_a_deposit_of_two_shops_is_explained_to_the_cent(platform: Platform) -> None:
    scene = platform.scene
    shop = await scene.charge(order="17")
    await give(platform)
    assert await platform.heal() == "agreed"
    await scene.sandbox.control(f"accounts/{scene.account}/settle")
    payout = await scene.payout(await scene.balance())
    await scene.sandbox.control(f"payouts/{payout['id']}", status="paid")
    assert await platform.heal() == "agreed"
    assert await scene.classes() == {
        shop["balance_transaction"]["id"]: ("foreign", "no_donation"),
        payout["balance_transaction"]: ("foreign", "shared"),
    }
    sums = await scene.sums()
    assert [sums[f"{name}_minor"] for name in ("balance", "movements", "ledger", "foreign")] == [
        *(0, 0, 0, 0),
    ]
