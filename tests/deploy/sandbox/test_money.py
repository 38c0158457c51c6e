import random
from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop


async def balances(shop: Shop) -> tuple[int, int]:
    balance = await shop.api.balance.retrieve_async(None, shop.on_account())
    return balance.available[0].amount, balance.pending[0].amount


async def transactions(shop: Shop, **filters: str) -> list[stripe.BalanceTransaction]:
    params: Any = {"limit": 7, **filters}
    listed = await shop.api.balance_transactions.list_async(params, shop.on_account())
    return [transaction async for transaction in listed.auto_paging_iter()]


async def test_balance_is_the_sum_of_its_transactions(shop: Shop, sandbox: Sandbox) -> None:
    dice = random.Random(20260826)
    for _ in range(15):
        await shop.give(
            dice.choice(["pm_card_visa", "pm_card_bypassPending"]),
            amount=dice.randrange(100, 100_000),
            currency=dice.choice(["eur", "usd", "gbp"]),
        )
    await shop.api.payouts.create_async({"amount": 100, "currency": "eur"}, shop.on_account())
    listed = await transactions(shop)
    assert len(listed) == 16
    for transaction in listed:
        assert transaction.net == transaction.amount - transaction.fee
        assert transaction.fee == sum(item.amount for item in transaction.fee_details)
    by_status = {
        status: sum(each.net for each in listed if each.status == status)
        for status in ("available", "pending")
    }
    assert await balances(shop) == (by_status["available"], by_status["pending"])
    sandbox.control("POST", f"accounts/{shop.account}/settle")
    assert await balances(shop) == (by_status["available"] + by_status["pending"], 0)
    assert {transaction.status for transaction in await transactions(shop)} == {"available"}


async def test_money_becomes_available_with_time(shop: Shop, sandbox: Sandbox) -> None:
    manual: Any = {"settings": {"payouts": {"schedule": {"interval": "manual"}}}}
    await shop.api.accounts.update_async(shop.account, manual)
    await shop.give()
    assert await balances(shop) == (0, 4900)
    sandbox.control("POST", "clock", {"advance_s": 2 * 24 * 3600})
    assert await balances(shop) == (4900, 0)


async def test_automatic_payout_is_itemised(shop: Shop, sandbox: Sandbox) -> None:
    for _ in range(9):
        await shop.give("pm_card_bypassPending")
    await shop.give()
    answer = sandbox.control("POST", f"accounts/{shop.account}/payouts", {"paid": True})
    assert [payout["amount"] for payout in answer["payouts"]] == [9 * 4900]
    payout = await shop.api.payouts.retrieve_async(
        answer["payouts"][0]["id"], {"expand": ["balance_transaction"]}, shop.on_account()
    )
    assert (payout.status, payout.reconciliation_status) == ("paid", "completed")
    items = await transactions(shop, payout=payout.id)
    assert [each.type for each in items] == ["payout"] + ["charge"] * 9
    assert sum(each.net for each in items) == 0
    assert await balances(shop) == (0, 4900)
    told = await shop.api.events.list_async(
        {"types": ["payout.created", "payout.paid", "payout.reconciliation_completed"]},
        shop.on_account(),
    )
    assert [event.type for event in reversed(told.data)] == [
        "payout.created",
        "payout.paid",
        "payout.reconciliation_completed",
    ]
    again = sandbox.control("POST", f"accounts/{shop.account}/payouts")
    assert again["payouts"] == []


async def test_payout_that_fails_after_it_was_paid_brings_its_money_back(
    shop: Shop, sandbox: Sandbox
) -> None:
    await shop.give("pm_card_bypassPending")
    made = sandbox.control("POST", f"accounts/{shop.account}/payouts", {"paid": True})
    payout_id = made["payouts"][0]["id"]
    sandbox.control("POST", f"payouts/{payout_id}", {"status": "failed"})
    failed = await shop.api.payouts.retrieve_async(payout_id, None, shop.on_account())
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    assert await balances(shop) == (4900, 0)
    back = await transactions(shop, type="payout_failure")
    assert [(each.net, each.id) for each in back] == [(4900, failed.failure_balance_transaction)]
    retried = sandbox.control("POST", f"accounts/{shop.account}/payouts")
    assert [payout["amount"] for payout in retried["payouts"]] == [4900]


async def test_manual_payout_needs_the_money_and_has_no_items(shop: Shop) -> None:
    await shop.give("pm_card_bypassPending")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payouts.create_async({"amount": 4901, "currency": "eur"}, shop.on_account())
    assert refused.value.code == "balance_insufficient"
    payout = await shop.api.payouts.create_async(
        {"amount": 900, "currency": "eur"}, shop.on_account()
    )
    assert (payout.status, payout.automatic) == ("pending", False)
    assert await balances(shop) == (4000, 0)
    with pytest.raises(stripe.InvalidRequestError):
        await transactions(shop, payout=payout.id)
    canceled = await shop.api.payouts.cancel_async(payout.id, None, shop.on_account())
    assert canceled.status == "canceled"
    assert await balances(shop) == (4900, 0)
    listed = await shop.api.payouts.list_async({"status": "canceled"}, shop.on_account())
    assert [each.id for each in listed.data] == [payout.id]


async def test_lists_page_both_ways(shop: Shop) -> None:
    intents = [(await shop.give()).id for _ in range(5)]
    newest = intents[::-1]
    listed = await shop.api.payment_intents.list_async({"limit": 2}, shop.on_account())
    assert [each.id for each in listed.data] == newest[:2]
    assert [each.id async for each in listed.auto_paging_iter()] == newest
    back = await shop.api.payment_intents.list_async(
        {"limit": 2, "ending_before": newest[3]}, shop.on_account()
    )
    assert [each.id for each in back.data] == newest[1:3]
    assert back.has_more
    charges = await shop.api.charges.list_async({"payment_intent": newest[0]}, shop.on_account())
    assert [charge.payment_intent for charge in charges.data] == [newest[0]]
    none = await shop.api.payment_intents.list_async({"created": {"lt": 1}}, shop.on_account())
    assert none.data == []
