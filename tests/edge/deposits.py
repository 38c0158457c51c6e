"""Payouts of a society, put into the database where the worker puts them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.identifiers import random_id, type_id
from tests.edge.society import Society

CREATED = datetime(2027, 3, 1, tzinfo=UTC)


class Deposits:
    """Payouts of a society, put where the worker puts them."""

    def __init__(self, society: Society) -> None:
        self.society = society
        self.path = f"/v1/organizations/{society.slug}/payouts"

    async def insert(self, table: str, **columns: Any) -> None:
        values = {"organization": self.society.id, "account": "acct_1", **columns}
        marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        names = ", ".join(values)
        await self.society.stand.fetch(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values()
        )

    async def payout(self, name: str, amount: int, **columns: Any) -> str:
        known = {
            "id": name,
            "status": "paid",
            "amount_minor": amount,
            "fee_minor": 0,
            "currency": "EUR",
            "automatic": True,
            "arrival_date": CREATED,
            "created_at": CREATED,
            "balance_transaction": f"txn_{name}",
            "moved_at": CREATED,
            "rule": "itemised",
            "foreign_minor": 0,
            "split_at": CREATED,
        }
        await self.insert("payouts.payouts", **known | columns)
        return name

    async def movement(
        self, name: str, category: str, amount: int, fee: int, fund: str, age_days: int = 0
    ) -> None:
        await self.insert(
            "payments.movements",
            balance_transaction=name,
            category=category,
            source=f"ch_{name}",
            donation=type_id("don", random_id(CREATED)),
            fund=fund,
            currency="EUR",
            amount_minor=amount,
            fee_minor=fee,
            net_minor=amount - fee,
            entry=type_id("ent", random_id(CREATED)),
            occurred_at=CREATED - timedelta(days=age_days),
        )

    async def item(self, payout: str, name: str, category: str, amount: int, fund: str) -> None:
        await self.insert(
            "payouts.items",
            payout=payout,
            balance_transaction=name,
            fund=fund,
            currency="EUR",
            category=category,
            source=f"ch_{name}",
            amount_minor=amount,
        )


async def one_deposit(society: Society) -> Deposits:
    """One payout of 28.50 out of two gifts, one of them in part, a refund and others' money."""
    made = Deposits(society)
    fund = society.funds["EUR"]
    payout = await made.payout(f"po_{society.slug}", 2850, fee_minor=50, foreign_minor=100)
    await made.movement(f"t1{payout}", "charge", 2500, 63, fund, age_days=5)
    await made.movement(f"t2{payout}", "charge", 1000, 40, fund, age_days=4)
    await made.movement(f"t3{payout}", "refund", -500, 0, fund, age_days=3)
    await made.item(payout, f"t1{payout}", "charge", 2437, fund)
    await made.item(payout, f"t2{payout}", "charge", 863, fund)
    await made.item(payout, f"t3{payout}", "refund", -500, fund)
    await made.item(payout, f"t4{payout}", "charge", 100, "")
    return made
