"""Rows of movements: one for each balance transaction and fund, whoever writes them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from tests.workers.bench import Bench, new
from workers.gateways.database import tenant
from workers.payments import store_movements
from workers.payments.store_movements import Movement


def movement(organization: str, transaction: str = "txn_1", fund: str | None = None) -> Movement:
    return Movement(
        organization=organization,
        account="acct_1",
        balance_transaction=transaction,
        category="refund",
        source="re_1",
        donation=new("don"),
        fund=fund or new("fund"),
        currency="EUR",
        amount_minor=-1000,
        fee_minor=50,
        net_minor=-1050,
        entry=new("ent"),
        occurred_at=datetime.now(UTC),
    )


async def test_a_balance_transaction_is_news_once_for_each_fund(bench: Bench) -> None:
    organization, fund = await bench.organization()
    one = movement(organization, fund=fund)
    other_fund = replace(one, fund=new("fund"))
    async with bench.pool("payments") as pool:
        async with tenant(pool, organization) as connection:
            assert await store_movements.book(connection, [one]) == {"txn_1"}
            assert await store_movements.book(connection, [one]) == set()
            assert await store_movements.book(connection, [other_fund]) == {"txn_1"}
            assert await store_movements.book(connection, []) == set()
        assert await store_movements.booked(pool, organization, ["txn_1", "txn_2"]) == {"txn_1"}


async def test_two_batches_at_once_find_one_news(bench: Bench) -> None:
    organization, fund = await bench.organization()
    rows = [movement(organization, f"txn_{number}", fund) for number in range(20)]
    async with bench.pool("payments") as pool:

        async def book(order: list[Movement]) -> set[str]:
            async with tenant(pool, organization) as connection:
                return await store_movements.book(connection, order)

        found = await asyncio.gather(book(rows), book(rows[::-1]), book(rows))
    assert sorted(name for each in found for name in each) == sorted(f"txn_{n}" for n in range(20))
