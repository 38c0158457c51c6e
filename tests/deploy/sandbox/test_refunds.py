from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop

MINUTE_S = 60


async def gift(shop: Shop, card: str = "pm_card_visa", **params: Any) -> stripe.Charge:
    intent = await shop.give(card, expand=["latest_charge"], **params)
    assert isinstance(intent.latest_charge, stripe.Charge)
    return intent.latest_charge


async def refund(shop: Shop, charge: stripe.Charge, **params: Any) -> stripe.Refund:
    asked: Any = {"charge": charge.id, **params}
    return await shop.api.refunds.create_async(asked, shop.on_account())


async def refetched(shop: Shop, made: stripe.Refund) -> stripe.Refund:
    """The refund as it is now, with both of its balance transactions."""
    expand = ["balance_transaction", "failure_balance_transaction", "charge"]
    return await shop.api.refunds.retrieve_async(made.id, {"expand": expand}, shop.on_account())


async def total(shop: Shop) -> int:
    """What the account holds, after a check that it is the sum of the balance transactions."""
    balance = await shop.api.balance.retrieve_async(None, shop.on_account())
    listed = await shop.api.balance_transactions.list_async({"limit": 100}, shop.on_account())
    held = balance.available[0].amount + balance.pending[0].amount
    assert held == sum(each.net for each in listed.data)
    return held


async def told(shop: Shop, *types: str) -> list[tuple[str, str]]:
    """(event type, status of what it shows), oldest first."""
    listed = await shop.api.events.list_async(
        {"limit": 100, "types": list(types)}, shop.on_account()
    )
    return [(event.type, event.data.object["status"]) for event in reversed(listed.data)]


ALL_TYPES = (
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
)


async def test_several_partial_refunds_add_up_until_nothing_is_left(shop: Shop) -> None:
    charge = await gift(shop)
    first = await refund(shop, charge, amount=3000, metadata={"refund": "r-1"})
    assert (first.status, first.amount) == ("succeeded", 3000)
    assert first.metadata is not None
    assert first.metadata["refund"] == "r-1"
    assert first.payment_intent == charge.payment_intent
    second = await shop.api.refunds.create_async(
        {"payment_intent": str(charge.payment_intent), "reason": "duplicate"}, shop.on_account()
    )
    assert (second.amount, second.charge, second.reason) == (2000, charge.id, "duplicate")
    booked = (await refetched(shop, first)).balance_transaction
    assert isinstance(booked, stripe.BalanceTransaction)
    assert (booked.amount, booked.fee, booked.net, booked.source) == (-3000, 0, -3000, first.id)
    assert (booked.type, booked.reporting_category) == ("refund", "refund")
    now = await shop.api.charges.retrieve_async(charge.id, None, shop.on_account())
    assert (now.amount_refunded, now.refunded) == (5000, True)
    # The fee of the gift is not given back.
    assert await total(shop) == -100
    for name, value in (("charge", charge.id), ("payment_intent", charge.payment_intent)):
        filters: Any = {name: value}
        listed = await shop.api.refunds.list_async(filters, shop.on_account())
        assert [each.id for each in listed.data] == [second.id, first.id]
    assert (
        await told(shop, *ALL_TYPES)
        == [
            ("refund.created", "succeeded"),
            ("charge.refunded", "succeeded"),
        ]
        * 2
    )


async def test_same_key_refunds_once(shop: Shop) -> None:
    charge = await gift(shop)
    options = shop.on_account(idempotency_key="refund-1")
    made = [
        await shop.api.refunds.create_async({"charge": charge.id, "amount": 100}, options)
        for _ in range(2)
    ]
    assert made[0].id == made[1].id
    assert await total(shop) == 4800


async def test_refusals_are_stripes(shop: Shop) -> None:
    charge = await gift(shop)

    async def refused(params: Any) -> stripe.InvalidRequestError:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await shop.api.refunds.create_async(params, shop.on_account())
        return caught.value

    too_much = await refused({"charge": charge.id, "amount": 5001})
    assert (too_much.http_status, too_much.code, too_much.param) == (400, None, "amount")
    assert too_much.user_message == (
        "Refund amount (€50.01) is greater than unrefunded amount on charge (€50.00)"
    )
    assert (await refused({})).code == "parameter_missing"
    assert (await refused({"charge": "ch_nothing"})).code == "resource_missing"
    await refund(shop, charge)
    again = await refused({"charge": charge.id})
    assert (again.code, again.user_message) == (
        "charge_already_refunded",
        f"Charge {charge.id} has already been refunded.",
    )
    unpaid = await shop.give(confirm=False)
    none = await refused({"payment_intent": unpaid.id})
    assert "does not have a successful charge to refund" in str(none.user_message)
    with pytest.raises(stripe.CardError) as declined:
        await shop.give("pm_card_chargeDeclined")
    assert declined.value.error is not None
    failed = await refused({"charge": declined.value.error.charge})
    assert failed.code == "charge_not_refundable"
    no_fee = await refused({"charge": (await gift(shop)).id, "refund_application_fee": True})
    assert no_fee.param == "refund_application_fee"


async def test_refund_that_is_pending_succeeds_a_while_later(shop: Shop, sandbox: Sandbox) -> None:
    made = await refund(shop, await gift(shop, "pm_card_pendingRefund"))
    assert (made.status, made.pending_reason) == ("pending", "processing")
    assert await total(shop) == -100
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    assert (await refetched(shop, made)).status == "succeeded"
    assert await total(shop) == -100
    assert ("refund.updated", "succeeded") in await told(shop, *ALL_TYPES)


async def test_refund_that_succeeded_fails_later_and_gives_its_money_back(
    shop: Shop, sandbox: Sandbox
) -> None:
    made = await refund(shop, await gift(shop, "pm_card_refundFail"), amount=2000)
    assert made.status == "succeeded"
    assert await total(shop) == 2900
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    failed = await refetched(shop, made)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    back = failed.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.type, back.reporting_category) == ("refund_failure", "refund_failure")
    assert (back.net, back.source) == (2000, made.id)
    assert isinstance(failed.balance_transaction, stripe.BalanceTransaction)
    assert await total(shop) == 4900
    assert isinstance(failed.charge, stripe.Charge)
    assert (failed.charge.amount_refunded, failed.charge.refunded) == (0, False)
    assert (await told(shop, *ALL_TYPES))[2:] == [
        ("refund.updated", "failed"),
        ("charge.refund.updated", "failed"),
        ("refund.failed", "failed"),
    ]


async def test_refund_waits_for_money_and_takes_it_when_enough_came(
    shop: Shop, sandbox: Sandbox
) -> None:
    no_bank: Any = {"settings": {"payouts": {"debit_negative_balances": False}}}
    await shop.api.accounts.update_async(shop.account, no_bank)
    charge = await gift(shop, "pm_card_bypassPending", application_fee_amount=200)
    sandbox.control("POST", f"accounts/{shop.account}/payouts", {"paid": True})
    assert await total(shop) == 0
    made = await refund(shop, charge, refund_application_fee=True)
    assert (made.status, made.pending_reason) == ("pending", "insufficient_funds")
    assert made.balance_transaction is None
    now = await shop.api.charges.retrieve_async(charge.id, None, shop.on_account())
    assert (now.amount_refunded, now.refunded) == (5000, True)
    await gift(shop, amount=2000)
    assert (await refetched(shop, made)).status == "pending"
    await gift(shop, amount=4000)
    paid = await refetched(shop, made)
    assert (paid.status, getattr(paid, "pending_reason", None)) == ("succeeded", None)
    booked = paid.balance_transaction
    assert isinstance(booked, stripe.BalanceTransaction)
    assert (booked.amount, booked.fee, booked.net) == (-5000, -200, -4800)
    assert await total(shop) == 1945 + 3915 - 4800
    assert ("refund.updated", "succeeded") in await told(shop, *ALL_TYPES)


async def test_refund_in_another_currency_has_its_own_rate_and_rounding(
    shop: Shop, sandbox: Sandbox
) -> None:
    charge = await gift(shop, amount=5001, currency="usd")
    sandbox.control("POST", "rates", {"usd": 1.01})
    try:
        parts = [await refund(shop, charge, amount=amount) for amount in (1667, 1667, 1667)]
        booked = [(await refetched(shop, part)).balance_transaction for part in parts]
        for each in booked:
            assert isinstance(each, stripe.BalanceTransaction)
            # 16.67 USD at 0.990099; the gift brought 46.31 EUR at 0.925926
            assert (each.currency, each.exchange_rate, each.amount) == ("eur", 0.990099, -1650)
    finally:
        sandbox.control("POST", "rates", {"usd": 1.08})
    assert [part.currency for part in parts] == ["usd"] * 3
    assert await total(shop) == 4631 - 94 - 3 * 1650


async def test_application_fee_returns_in_proportion_or_by_itself(shop: Shop) -> None:
    charge = await gift(shop, application_fee_amount=151)
    assert await total(shop) == 4749
    part = await refund(shop, charge, amount=2500, refund_application_fee=True)
    booked = (await refetched(shop, part)).balance_transaction
    assert isinstance(booked, stripe.BalanceTransaction)
    assert [(line.type, line.amount) for line in booked.fee_details] == [("application_fee", -75)]
    assert (booked.amount, booked.fee, booked.net) == (-2500, -75, -2425)
    rest = await refund(shop, charge, refund_application_fee=True)
    booked = (await refetched(shop, rest)).balance_transaction
    assert isinstance(booked, stripe.BalanceTransaction)
    assert booked.net == -2500 + 76
    fee = (await shop.api.application_fees.list_async({"charge": charge.id})).data[0]
    assert (fee.amount_refunded, fee.refunded) == (151, True)
    assert [each.amount for each in fee.refunds.data] == [76, 75]
    other = await gift(shop, application_fee_amount=50)
    alone = await shop.api.application_fees.refunds.create_async(
        str(other.application_fee), {"expand": ["balance_transaction"]}
    )
    assert isinstance(alone.balance_transaction, stripe.BalanceTransaction)
    assert alone.balance_transaction.net == -50
    assert await total(shop) == -100 + 4900


async def test_dashboard_refund_has_no_key_and_no_metadata(shop: Shop, sandbox: Sandbox) -> None:
    charge = await gift(shop, metadata={"donation": "d-1"})
    made = sandbox.control("POST", f"charges/{charge.id}/refunds", {"amount": 700, "fee": 30})
    assert (made["status"], made["metadata"], made["amount"]) == ("succeeded", {}, 700)
    assert await total(shop) == 4900 - 730
    events = await shop.api.events.list_async({"type": "refund.created"}, shop.on_account())
    assert events.data[0].request is not None
    assert (events.data[0].request.id, events.data[0].request.idempotency_key) == (None, None)
    assert sandbox.control("POST", f"charges/{charge.id}/refunds", {"amont": 1})["status"] == 400


async def test_donor_must_act_and_the_refund_is_canceled_instead(
    shop: Shop, sandbox: Sandbox
) -> None:
    charge = await gift(shop)
    path = f"charges/{charge.id}/refunds"
    made = sandbox.control("POST", path, {"status": "requires_action"})
    assert made["next_action"]["type"] == "display_details"
    canceled = await shop.api.refunds.cancel_async(made["id"], None, shop.on_account())
    assert canceled.status == "canceled"
    assert (await refetched(shop, canceled)).failure_balance_transaction is not None
    assert await total(shop) == 4900
    done = await refund(shop, charge)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.refunds.cancel_async(done.id, None, shop.on_account())
    moved = sandbox.control("POST", f"refunds/{done.id}", {"status": "pending"})
    assert moved["status"] == 400


async def test_only_metadata_of_a_refund_can_change(shop: Shop) -> None:
    made = await refund(shop, await gift(shop))
    changed = await shop.api.refunds.update_async(
        made.id, {"metadata": {"note": "x"}}, shop.on_account()
    )
    assert changed.metadata is not None
    assert changed.metadata["note"] == "x"
    listed = await shop.api.charges.list_async({"expand": ["data.refunds"]}, shop.on_account())
    refunds = listed.data[0].refunds
    assert refunds is not None
    assert [each.id for each in refunds.data] == [made.id]
