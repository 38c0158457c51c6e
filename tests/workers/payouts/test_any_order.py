"""Random accounts: whatever order their payouts are looked at in, the same entries come of it."""

import os
import random
from typing import Any

import pytest

from tests.workers.payouts.scenes import Scene, entries, lines

SEED = int(os.environ.get("AMPLY_SEED", "20261130"))
STEPS = 18


class History:
    """A random history of an account at Stripe; nobody looked at a payout of it yet."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene, self.chance = scene, chance
        self.gifts: list[Any] = []
        self.payouts: list[str] = []

    async def play(self) -> None:
        await self.scene.pays_by_hand()
        acts = [self.gift, self.gift, self.gift, self.refund, self.sell, self.fee]
        acts += [self.manual, self.manual, self.automatic, self.fail, self.wait]
        for _ in range(STEPS):
            await self.chance.choice(acts)()
        await self.gift()
        await self.automatic()

    async def gift(self) -> None:
        fund = self.chance.choice([self.scene.fund, self.scene.other_fund])
        amount = self.chance.randint(100, 9000)
        self.gifts.append((await self.scene.gift(amount, fund), fund, amount))

    async def refund(self) -> None:
        if not self.gifts:
            return
        gift, fund, amount = self.gifts.pop(self.chance.randrange(len(self.gifts)))
        data = {"charge": gift["source"], "amount": str(self.chance.randint(1, amount))}
        made = await self.scene.sandbox.ask(
            "POST",
            "/v1/refunds",
            data={**data, "expand[]": "balance_transaction"},
            account=self.scene.account,
        )
        await self.scene.book(made["balance_transaction"], fund)

    async def sell(self) -> None:
        await self.scene.charge(self.chance.randint(100, 3000))

    async def fee(self) -> None:
        amount = self.chance.randint(1, 60)
        await self.scene.sandbox.control(f"accounts/{self.scene.account}/fees", amount=amount)

    async def available(self) -> int:
        body = await self.scene.sandbox.ask("GET", "/v1/balance", account=self.scene.account)
        return sum(part["amount"] for part in body["available"])

    async def manual(self) -> None:
        most = await self.available()
        if most > 0:
            self.payouts.append(await self.scene.manual(self.chance.randint(1, most)))

    async def automatic(self) -> None:
        made = await self.scene.sandbox.control(f"accounts/{self.scene.account}/payouts")
        self.payouts += [payout["id"] for payout in made["payouts"]]

    async def fail(self) -> None:
        now = (await self.scene.sandbox.control("clock"))["now"]
        path = "/v1/payouts?limit=100"
        body = await self.scene.sandbox.ask("GET", path, account=self.scene.account)
        # Stripe's banks take up to five business days to say no.
        young = [
            payout["id"]
            for payout in body["data"]
            if payout["status"] != "failed" and now - payout["created"] < 4 * 86_400
        ]
        if young:
            await self.scene.becomes(self.chance.choice(young), "failed")
            await self.scene.bank_is_verified()

    async def wait(self) -> None:
        seconds = self.chance.choice([1, 3600, 5 * 86_400])
        await self.scene.sandbox.control("clock", advance_s=seconds)


async def look_until_settled(scene: Scene, payouts: list[str], chance: random.Random) -> list[Any]:
    """What is requested when all payouts are looked at, in random batches, until none waits."""
    told: list[Any] = []
    for _ in range(len(payouts) + 2):
        order = chance.sample(payouts, len(payouts))
        while order:
            size = chance.randint(1, len(order))
            told += entries(await scene.settle(*map(scene.to_look, order[:size])))
            order = order[size:]
    return told


async def state(scene: Scene) -> list[Any]:
    found: list[Any] = []
    for sql in (
        "SELECT payout, balance_transaction, fund, amount_minor, given_back_at"
        " FROM payouts.items WHERE organization = $1 ORDER BY 1, 2, 3",
        "SELECT balance_transaction, fund, net_minor, entry FROM payouts.movements"
        " WHERE organization = $1 ORDER BY 1, 2",
        "SELECT balance_transaction, net_minor FROM payouts.foreign_movements"
        " WHERE organization = $1 ORDER BY 1",
    ):
        found.append(await scene.bench.fetch(sql, scene.organization))
    return found


async def assert_no_movement_is_carried_twice(scene: Scene) -> None:
    rows = await scene.bench.fetch(
        "SELECT m.net_minor, sum(i.amount_minor)::bigint AS carried FROM payouts.items AS i"
        " JOIN (SELECT balance_transaction, fund, net_minor, organization FROM payments.movements"
        "  UNION ALL SELECT balance_transaction, fund, net_minor, organization"
        "  FROM payouts.movements) AS m USING (balance_transaction, fund, organization)"
        " WHERE i.organization = $1 AND i.given_back_at IS NULL"
        " GROUP BY m.balance_transaction, m.fund, m.net_minor",
        scene.organization,
    )
    for row in rows:
        assert min(row["net_minor"], 0) <= row["carried"] <= max(row["net_minor"], 0)


@pytest.mark.parametrize("case", range(4))
async def test_random_accounts_end_in_the_same_entries_in_any_order(
    scene: Scene, case: int
) -> None:
    print(f"AMPLY_SEED={SEED}, case {case}")
    chance = random.Random(f"{SEED}/{case}")
    history = History(scene, chance)
    await history.play()
    first = await look_until_settled(scene, history.payouts, chance)
    known = await state(scene)
    for entry in first:
        assert lines(entry)
    waiting = await scene.bench.fetch(
        "SELECT id FROM payouts.payouts WHERE organization = $1 AND rule IS NULL",
        scene.organization,
    )
    assert waiting == []
    sums = await scene.bench.fetch(
        "SELECT p.id, p.amount_minor + p.fee_minor AS total, sum(i.amount_minor)::bigint AS sum"
        " FROM payouts.payouts AS p JOIN payouts.items AS i ON i.payout = p.id"
        " WHERE p.organization = $1 GROUP BY p.id, p.amount_minor, p.fee_minor",
        scene.organization,
    )
    assert sums and all(row["total"] == row["sum"] for row in sums)
    await assert_no_movement_is_carried_twice(scene)
    for table in ("items", "movements", "foreign_movements", "payouts"):
        await scene.bench.fetch(
            f"DELETE FROM payouts.{table} WHERE organization = $1", scene.organization
        )
    second = await look_until_settled(scene, history.payouts, chance)
    spelled = [sorted(entry.model_dump_json() for entry in told) for told in (first, second)]
    assert spelled[0] == spelled[1]
    assert await state(scene) == known
