"""Payouts by the clock: schedules, states, failures, and what a payout consists of."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from deploy.sandbox.payouts import add_business_days
from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop

DAY_S = 86_400
WEEK_S = 7 * DAY_S


async def advance(sandbox: Sandbox, seconds: int) -> None:
    assert "error" not in sandbox.control("POST", "clock", {"advance_s": seconds})


async def schedule(shop: Shop, **changes: Any) -> None:
    params: Any = {"settings": {"payouts": {"schedule": changes}}}
    await shop.api.accounts.update_async(shop.account, params)


async def payouts_of(shop: Shop, **filters: Any) -> list[stripe.Payout]:
    params: Any = {"limit": 100, **filters}
    listed = await shop.api.payouts.list_async(params, shop.on_account())
    return listed.data


async def items_of(shop: Shop, payout: str) -> list[stripe.BalanceTransaction]:
    params: Any = {"payout": payout, "limit": 5}
    listed = await shop.api.balance_transactions.list_async(params, shop.on_account())
    return [item async for item in listed.auto_paging_iter()]


async def available(shop: Shop, currency: str = "eur") -> int:
    balance = await shop.api.balance.retrieve_async(None, shop.on_account())
    return sum(part.amount for part in balance.available if part.currency == currency)


async def types_of(shop: Shop, prefix: str) -> list[str]:
    listed = await shop.api.events.list_async({"limit": 100}, shop.on_account())
    return [event.type for event in reversed(listed.data) if event.type.startswith(prefix)]


async def test_the_clock_pays_out_what_is_available_and_itemises_it(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, "payout.paid", "balance.available")
    gifts = [(await shop.give()).latest_charge for _ in range(6)]
    await advance(sandbox, 2 * WEEK_S)
    [payout] = await payouts_of(shop)
    assert (payout.amount, payout.status, payout.automatic) == (6 * 4900, "paid", True)
    assert payout.reconciliation_status == "completed"
    assert payout.trace_id is not None
    assert payout.trace_id.status == "supported"
    items = await items_of(shop, payout.id)
    assert sum(item.net for item in items) == 0
    assert {item.source for item in items} == {payout.id, *gifts}
    assert await available(shop) == 0
    assert await types_of(shop, "payout.") == [
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.updated",
        "payout.reconciliation_completed",
    ]
    await receiver.wait_for(2)
    assert sorted(receiver.types()) == ["balance.available", "payout.paid"]
    created = datetime.fromtimestamp(payout.created, UTC)
    assert (created.hour, created.minute, created.weekday() < 5) == (0, 0, True)
    assert payout.arrival_date == add_business_days(payout.created, 2)


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({"interval": "weekly", "weekly_anchor": "thursday"}, {"Thursday"}),
        ({"interval": "monthly", "monthly_anchor": 15}, {"15"}),
    ],
    ids=str,
)
async def test_each_schedule_pays_on_its_own_day(
    shop: Shop, sandbox: Sandbox, changes: dict[str, Any], days: set[str]
) -> None:
    await schedule(shop, **changes)
    await shop.give()
    await advance(sandbox, 6 * WEEK_S)
    [payout] = await payouts_of(shop)
    moment = datetime.fromtimestamp(payout.created, UTC)
    assert days & {moment.strftime("%A"), str(moment.day)}


async def test_manual_schedule_pays_nothing_until_it_is_asked(shop: Shop, sandbox: Sandbox) -> None:
    await schedule(shop, interval="manual")
    await shop.give()
    await advance(sandbox, 2 * WEEK_S)
    assert await payouts_of(shop) == []
    await schedule(shop, interval="daily")
    await advance(sandbox, WEEK_S)
    assert [payout.amount for payout in await payouts_of(shop)] == [4900]


async def test_a_negative_balance_is_filled_by_later_gifts_before_anything_is_paid(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.control("POST", f"accounts/{shop.account}/fees", {"amount": 6000})
    assert await available(shop) == -6000
    await shop.give()
    await advance(sandbox, 2 * WEEK_S)
    assert await payouts_of(shop) == []
    await shop.give()
    await advance(sandbox, 2 * WEEK_S)
    [payout] = await payouts_of(shop)
    assert payout.amount == 2 * 4900 - 6000
    items = await items_of(shop, payout.id)
    assert sorted(item.type for item in items) == ["charge", "charge", "payout", "stripe_fee"]
    assert sum(item.net for item in items) == 0


async def test_an_account_fee_is_a_transaction_of_its_own(shop: Shop, sandbox: Sandbox) -> None:
    path = f"accounts/{shop.account}/fees"
    sandbox.control("POST", path, {"amount": 120, "description": "Radar"})
    sandbox.control("POST", path, {"amount": 23, "type": "tax_fee"})
    params: Any = {"type": "stripe_fee"}
    listed = await shop.api.balance_transactions.list_async(params, shop.on_account())
    [fee] = listed.data
    assert (fee.net, fee.reporting_category, fee.source) == (-120, "fee", None)
    assert await available(shop) == -143
    assert sandbox.control("POST", path, {"amount": "1"})["status"] == 400


@pytest.mark.parametrize(
    ("number", "code"),
    [("DE62370400440532013001", "no_account"), ("DE89370400440532013002", "account_closed")],
)
async def test_test_numbers_fail_and_stop_automatic_payouts_until_verified(
    shop: Shop, sandbox: Sandbox, number: str, code: str
) -> None:
    path = f"accounts/{shop.account}/external_accounts"
    given = {"country": "DE", "currency": "eur", "account_number": number}
    bank = sandbox.control("POST", path, given | {"default_for_currency": True})
    banks = await shop.api.accounts.external_accounts.list_async(shop.account)
    [good] = [one for one in banks.data if one.id != bank["id"]]
    sandbox.control("POST", f"{path}/{good.id}", {"status": "verification_failed"})
    await shop.give()
    await advance(sandbox, 3 * WEEK_S)
    [payout] = await payouts_of(shop)
    assert (payout.status, payout.failure_code) == ("failed", code)
    assert payout.destination == bank["id"]
    assert await available(shop) == 4900
    account = await shop.api.accounts.retrieve_async(shop.account)
    assert (account.payouts_enabled, account.charges_enabled) == (False, True)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.payouts.create_async({"amount": 100, "currency": "eur"}, shop.on_account())
    sandbox.control("POST", f"{path}/{bank['id']}", {"status": "new"})
    await advance(sandbox, 3 * WEEK_S)
    assert len(await payouts_of(shop)) == 2


async def test_a_payout_fails_within_five_business_days_of_its_arrival(
    shop: Shop, sandbox: Sandbox
) -> None:
    await shop.give()
    await advance(sandbox, 2 * WEEK_S)
    [payout] = await payouts_of(shop)
    late = add_business_days(payout.arrival_date, 6) - payout.arrival_date
    await advance(sandbox, late)
    refused = sandbox.control("POST", f"payouts/{payout.id}", {"status": "failed"})
    assert refused["status"] == 400


async def test_a_manual_payout_is_canceled_only_while_it_is_pending(
    shop: Shop, sandbox: Sandbox
) -> None:
    await shop.give("pm_card_bypassPending")
    params: Any = {"amount": 1000, "currency": "eur", "metadata": {"n": "1"}}
    first = await shop.api.payouts.create_async(params, shop.on_account())
    changed = await shop.api.payouts.update_async(
        first.id, {"metadata": {"n": "2"}}, shop.on_account()
    )
    assert changed.metadata is not None
    assert changed.metadata["n"] == "2"
    canceled = await shop.api.payouts.cancel_async(
        first.id, {"expand": ["failure_balance_transaction"]}, shop.on_account()
    )
    back = canceled.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.type, back.net) == ("payout_cancel", 1000)
    assert back.reporting_category == "payout_reversal"
    second = await shop.api.payouts.create_async(params, shop.on_account())
    await advance(sandbox, DAY_S)
    again = await shop.api.payouts.retrieve_async(second.id, None, shop.on_account())
    assert again.status in ("in_transit", "paid")
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.payouts.cancel_async(second.id, None, shop.on_account())
    await advance(sandbox, WEEK_S)
    arrived = await shop.api.payouts.retrieve_async(second.id, None, shop.on_account())
    assert arrived.status == "paid"


async def test_a_payout_to_the_us_is_reversed_once(shop: Shop, sandbox: Sandbox) -> None:
    await shop.open_account("US")
    await schedule(shop, interval="manual")
    await shop.give("pm_card_bypassPending", currency="usd")
    payout = await shop.api.payouts.create_async(
        {"amount": 1000, "currency": "usd"}, shop.on_account()
    )
    await advance(sandbox, WEEK_S)
    reversal = await shop.api.payouts.reverse_async(payout.id, None, shop.on_account())
    assert (reversal.amount, reversal.original_payout) == (-1000, payout.id)
    listed = await shop.api.balance_transactions.list_async(
        {"source": reversal.id}, shop.on_account()
    )
    assert [(one.net, one.reporting_category) for one in listed.data] == [(1000, "payout_reversal")]
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.payouts.reverse_async(payout.id, None, shop.on_account())


async def test_forints_are_paid_in_hundreds_and_the_rest_waits(
    shop: Shop, sandbox: Sandbox
) -> None:
    await shop.open_account("HU")
    await schedule(shop, interval="manual")
    for amount in (1_000_050, 1_000_070):
        await shop.give("pm_card_bypassPending", amount=amount, currency="huf")
    whole = await available(shop, "huf")
    assert whole % 100
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.payouts.create_async({"amount": 150, "currency": "huf"}, shop.on_account())
    await schedule(shop, interval="daily")
    await advance(sandbox, WEEK_S)
    assert [payout.amount for payout in await payouts_of(shop)] == [whole - whole % 100]
    assert await available(shop, "huf") == whole % 100


async def test_each_currency_with_a_bank_account_settles_and_pays_on_its_own(
    shop: Shop, sandbox: Sandbox
) -> None:
    path = f"accounts/{shop.account}/external_accounts"
    bank = sandbox.control("POST", path, {"country": "US", "currency": "usd"})
    await shop.give()
    await shop.give(currency="usd")
    await shop.give(currency="gbp")
    await advance(sandbox, 2 * WEEK_S)
    made = {payout.currency: payout for payout in await payouts_of(shop)}
    assert set(made) == {"eur", "usd"}
    assert made["usd"].destination == bank["id"]
    assert made["usd"].amount == 5000 - 175
    for payout in made.values():
        items = await items_of(shop, payout.id)
        assert {item.currency for item in items} == {payout.currency}
        assert sum(item.net for item in items) == 0


async def test_nothing_that_was_due_is_lost_with_the_process(
    start_shop: Callable[..., tuple[Sandbox, Shop]],
) -> None:
    sandbox, shop = start_shop()
    await shop.open_account()
    await shop.give()
    sandbox.stop()
    sandbox.start()
    await advance(sandbox, 2 * WEEK_S)
    assert [payout.status for payout in await payouts_of(shop)] == ["paid"]
    sandbox.stop()
    sandbox.start()
    await advance(sandbox, 2 * WEEK_S)
    assert len(await payouts_of(shop)) == 1


async def test_nobody_is_told_of_an_account_that_left(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, "*")
    gone = shop.account
    await shop.give()
    sandbox.control("POST", f"accounts/{gone}/deauthorize")
    await shop.open_account()
    await shop.give()
    await advance(sandbox, 2 * WEEK_S)
    await receiver.wait(lambda receiver: receiver.types().count("payout.paid") == 1)
    left = [event["type"] for event in receiver.events if event["account"] == gone]
    assert "account.application.deauthorized" in left
    assert not [one for one in left if one.startswith("payout.")]
