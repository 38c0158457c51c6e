from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop
from tests.deploy.sandbox.test_refunds import gift, refund, total

DAY_S = 86_400
TYPES = [
    f"charge.dispute.{name}"
    for name in ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")
]


async def of(shop: Shop, charge: stripe.Charge) -> list[stripe.Dispute]:
    listed = await shop.api.disputes.list_async({"charge": charge.id}, shop.on_account())
    return listed.data


async def now(shop: Shop, dispute_id: str) -> stripe.Dispute:
    return await shop.api.disputes.retrieve_async(dispute_id, None, shop.on_account())


async def told(shop: Shop) -> list[str]:
    listed = await shop.api.events.list_async({"limit": 100, "types": TYPES}, shop.on_account())
    return [event.type.removeprefix("charge.dispute.") for event in reversed(listed.data)]


def opened(sandbox: Sandbox, charge: stripe.Charge, **given: Any) -> Any:
    return sandbox.control("POST", f"charges/{charge.id}/dispute", given)


def moved(sandbox: Sandbox, dispute: Any, status: str, **given: Any) -> Any:
    return sandbox.control("POST", f"disputes/{dispute['id']}", {"status": status, **given})


def money(dispute: stripe.Dispute) -> list[tuple[str, int, int]]:
    """(reporting category, amount, fee) of each movement."""
    return [
        (each.reporting_category, each.amount, each.fee) for each in dispute.balance_transactions
    ]


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_createDispute", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received"),
    ],
)
async def test_card_that_disputes_takes_the_amount_and_a_fee(
    shop: Shop, card: str, reason: str
) -> None:
    charge = await gift(shop, card)
    (dispute,) = await of(shop, charge)
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", reason, 5000)
    assert dispute.is_charge_refundable is False
    assert dispute.payment_intent == charge.payment_intent
    (withdrawal,) = dispute.balance_transactions
    assert (withdrawal.type, withdrawal.net, withdrawal.source) == ("adjustment", -7000, dispute.id)
    assert [(line.type, line.description) for line in withdrawal.fee_details] == [
        ("stripe_fee", "Dispute fee")
    ]
    assert money(dispute) == [("dispute", -5000, 2000)]
    assert await total(shop) == 4900 - 7000
    charge = await shop.api.charges.retrieve_async(charge.id, None, shop.on_account())
    assert charge.disputed
    assert await told(shop) == ["created", "funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refund(shop, charge)
    assert refused.value.code == "charge_disputed"


async def test_evidence_wins_and_the_fee_returns(shop: Shop) -> None:
    charge = await gift(shop, "pm_card_createDispute")
    (dispute,) = await of(shop, charge)
    staged = await shop.api.disputes.update_async(
        dispute.id, {"evidence": {"receipt": "file_1"}, "submit": False}, shop.on_account()
    )
    details = staged.evidence_details
    assert (staged.status, details.has_evidence, details.submission_count) == (
        "needs_response",
        True,
        0,
    )
    sent = await shop.api.disputes.update_async(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}}, shop.on_account()
    )
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    won = await now(shop, dispute.id)
    assert won.status == "won"
    assert money(won) == [("dispute", -5000, 2000), ("dispute_reversal", 5000, -2000)]
    assert await total(shop) == 4900
    assert (await told(shop))[-2:] == ["funds_reinstated", "closed"]
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.disputes.close_async(dispute.id, None, shop.on_account())
    assert (await refund(shop, charge)).status == "succeeded"


async def test_lost_dispute_keeps_the_money_and_may_be_won_after_all(
    shop: Shop, sandbox: Sandbox
) -> None:
    (dispute,) = await of(shop, await gift(shop, "pm_card_createDispute"))
    await shop.api.disputes.update_async(
        dispute.id, {"evidence": {"uncategorized_text": "losing_evidence"}}, shop.on_account()
    )
    assert (await now(shop, dispute.id)).status == "lost"
    assert await total(shop) == -2100
    assert moved(sandbox, dispute, "won", fee_returned=False)["status"] == "won"
    won = await now(shop, dispute.id)
    assert money(won) == [("dispute", -5000, 2000), ("dispute_reversal", 5000, 0)]
    assert await total(shop) == 2900
    assert await told(shop) == [
        "created",
        "funds_withdrawn",
        "updated",
        "closed",
        "funds_reinstated",
        "closed",
    ]
    assert moved(sandbox, dispute, "lost")["status"] == 400


async def test_no_answer_in_time_loses(shop: Shop, sandbox: Sandbox) -> None:
    (dispute,) = await of(shop, await gift(shop, "pm_card_createDispute"))
    assert dispute.evidence_details.due_by is not None
    sandbox.control("POST", "clock", {"advance_s": 21 * DAY_S})
    assert (await now(shop, dispute.id)).status == "lost"
    assert (await told(shop))[-1] == "closed"


async def test_accepting_a_dispute_loses_it(shop: Shop) -> None:
    (dispute,) = await of(shop, await gift(shop, "pm_card_createDispute"))
    closed = await shop.api.disputes.close_async(dispute.id, None, shop.on_account())
    assert closed.status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.disputes.update_async(
            dispute.id, {"evidence": {"customer_name": "x"}}, shop.on_account()
        )


async def test_inquiry_moves_no_money_and_the_gift_can_be_refunded(
    shop: Shop, sandbox: Sandbox
) -> None:
    charge = await gift(shop, "pm_card_createDisputeInquiry")
    (inquiry,) = await of(shop, charge)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert inquiry.is_charge_refundable
    assert await total(shop) == 4900
    assert (await refund(shop, charge)).status == "succeeded"
    assert not (await now(shop, inquiry.id)).is_charge_refundable
    assert await told(shop) == ["created", "updated"]
    sandbox.control("POST", "clock", {"advance_s": 120 * DAY_S})
    assert (await now(shop, inquiry.id)).status == "warning_closed"
    assert await total(shop) == -100
    # Stripe lists events for 30 days.
    assert await told(shop) == ["closed"]


async def test_inquiry_is_escalated_to_a_chargeback(shop: Shop) -> None:
    (inquiry,) = await of(shop, await gift(shop, "pm_card_createDisputeInquiry"))
    evidence = {"uncategorized_text": "escalate_inquiry_evidence"}
    params: Any = {"evidence": evidence}
    asked = await shop.api.disputes.update_async(inquiry.id, params, shop.on_account())
    assert asked.status == "warning_under_review"
    escalated = await now(shop, inquiry.id)
    assert (escalated.status, escalated.is_charge_refundable) == ("needs_response", False)
    assert money(escalated) == [("dispute", -5000, 2000)]
    assert await told(shop) == ["created", "updated", "updated", "funds_withdrawn"]


async def test_dispute_in_another_currency_takes_and_returns_at_the_rates_of_its_days(
    shop: Shop, sandbox: Sandbox
) -> None:
    charge = await gift(shop, amount=5000, currency="usd")
    assert await total(shop) == 4630 - 94
    try:
        sandbox.control("POST", "rates", {"usd": 1.0})
        dispute = opened(sandbox, charge, reason="duplicate")
        sandbox.control("POST", "rates", {"usd": 1.25})
        moved(sandbox, dispute, "under_review")
        moved(sandbox, dispute, "won")
    finally:
        sandbox.control("POST", "rates", {"usd": 1.08})
    won = await now(shop, dispute["id"])
    assert won.currency == "usd"
    # More than the gift had brought, and less than was taken.
    assert money(won) == [("dispute", -5000, 2000), ("dispute_reversal", 4000, -2000)]
    assert [each.exchange_rate for each in won.balance_transactions] == [1.0, 0.8]
    assert {each.currency for each in won.balance_transactions} == {"eur"}
    assert await total(shop) == 4630 - 94 - 1000


async def test_part_of_a_gift_and_several_disputes_of_one(shop: Shop, sandbox: Sandbox) -> None:
    charge = await gift(shop)
    part = opened(sandbox, charge, amount=1200, fee=0)
    assert [each["net"] for each in part["balance_transactions"]] == [-1200]
    assert await total(shop) == 3700
    twice = await gift(shop, "pm_card_createMultipleDisputes")
    assert [each.amount for each in await of(shop, twice)] == [2500, 2500]


async def test_dispute_after_a_refund_takes_the_money_a_second_time(
    shop: Shop, sandbox: Sandbox
) -> None:
    charge = await gift(shop)
    await refund(shop, charge)
    opened(sandbox, charge)
    assert await total(shop) == 4900 - 5000 - 7000


async def test_chargeback_ends_a_refund_that_waits_for_money(shop: Shop, sandbox: Sandbox) -> None:
    no_bank: Any = {"settings": {"payouts": {"debit_negative_balances": False}}}
    await shop.api.accounts.update_async(shop.account, no_bank)
    charge = await gift(shop)
    waiting = await refund(shop, charge)
    assert waiting.status == "pending"
    opened(sandbox, charge)
    ended = await shop.api.refunds.retrieve_async(waiting.id, None, shop.on_account())
    assert (ended.status, ended.failure_reason) == ("failed", "charge_for_pending_refund_disputed")
    assert await total(shop) == 4900 - 7000


@pytest.mark.parametrize(
    ("given", "movements", "events"),
    [
        ({"status": "prevented"}, [-5000], ["created", "funds_withdrawn", "closed"]),
        ({"status": "prevented", "withdraws": False}, [], ["created", "closed"]),
        ({"status": "lost"}, [-7000], ["created", "funds_withdrawn", "closed"]),
    ],
)
async def test_dispute_that_is_over_when_it_begins(
    shop: Shop, sandbox: Sandbox, given: Any, movements: list[int], events: list[str]
) -> None:
    dispute = opened(sandbox, await gift(shop), **given)
    assert (await now(shop, dispute["id"])).status == given["status"]
    assert [each["net"] for each in dispute["balance_transactions"]] == movements
    assert await told(shop) == events


async def test_issuer_warns_of_fraud(shop: Shop) -> None:
    charge = await gift(shop, "pm_card_createIssuerFraudRecord")
    listed = await shop.api.events.list_async(
        {"type": "radar.early_fraud_warning.created"}, shop.on_account()
    )
    assert [event.data.object["charge"] for event in listed.data] == [charge.id]


async def test_control_explains_mistakes(shop: Shop, sandbox: Sandbox) -> None:
    charge = await gift(shop)
    assert opened(sandbox, charge, reason="mood")["status"] == 400
    assert opened(sandbox, charge, status="open")["status"] == 400
    assert opened(sandbox, charge, amuont=1)["status"] == 400
    dispute = opened(sandbox, charge)
    assert moved(sandbox, dispute, "warning_closed")["status"] == 400
    held = await gift(shop, capture_method="manual")
    assert opened(sandbox, held)["status"] == 400
