"""Disputes against the sandbox process and PostgreSQL, by the runtime's own batches."""

import random
from typing import Any

import pytest

from tests.workers.payments.conftest import Scene
from tests.workers.payments.paying_back import Paid, paid

OPEN = ("charge.dispute.created", "charge.dispute.funds_withdrawn")


async def disputed(gift: Paid, **given: Any) -> str:
    made = await gift.scene.sandbox.control(f"charges/{gift.charge}/dispute", **given)
    identifier: str = made["id"]
    return identifier


async def move(gift: Paid, dispute: str, status: str, **given: Any) -> None:
    await gift.scene.sandbox.control(f"disputes/{dispute}", status=status, **given)


async def hear(gift: Paid, dispute: str, *types: str) -> list[Any]:
    return await gift.settle(*[gift.scene.event(name, dispute) for name in types])


async def test_an_inquiry_moves_no_money_and_leaves_the_gift_refundable(scene: Scene) -> None:
    """C-01 (c)."""
    gift = await paid(scene)
    dispute = await disputed(gift, status="warning_needs_response")
    [told] = await hear(gift, dispute, "charge.dispute.created")
    assert (told.status, told.blocks_refunds, told.withdrawn_minor) == (
        "warning_needs_response",
        False,
        0,
    )
    [refund] = await gift.settle(gift.request())
    assert refund.status == "succeeded"
    await move(gift, dispute, "warning_closed")
    [closed] = await hear(gift, dispute, "charge.dispute.closed")
    assert closed.status == "warning_closed"
    assert [entry.kind for entry in gift.entries] == ["donation", "refund"]
    await gift.assert_agrees()


async def test_a_withdrawal_is_booked_once_whichever_event_tells_of_it(scene: Scene) -> None:
    gift = await paid(scene)
    dispute = await disputed(gift)
    [told] = await hear(gift, dispute, *OPEN, *OPEN, "charge.dispute.updated")
    assert (told.status, told.blocks_refunds, told.withdrawn_minor) == (
        "needs_response",
        True,
        10_000,
    )
    assert told.evidence_due_at is not None
    assert gift.balances()["Assets:Disputed"] == 10_000
    assert gift.balances()["Expenses:DisputeFees"] > 0
    assert (gift.entries[1].kind, gift.entries[1].subject) == ("dispute_withdrawn", told.dispute)
    await gift.assert_agrees()
    rows = await scene.movements()
    assert [row["category"] for row in rows] == ["charge", "dispute"]
    assert rows[1]["source"] == dispute


@pytest.mark.parametrize("fee_returned", [True, False])
async def test_a_won_dispute_brings_the_money_back(scene: Scene, fee_returned: bool) -> None:
    gift = await paid(scene)
    dispute = await disputed(gift)
    await hear(gift, dispute, *OPEN)
    await move(gift, dispute, "won", fee_returned=fee_returned)
    [won] = await hear(gift, dispute, "charge.dispute.closed", "charge.dispute.funds_reinstated")
    assert (won.status, won.withdrawn_minor, won.blocks_refunds) == ("won", 0, False)
    assert "Assets:Disputed" not in gift.balances()
    assert ("Expenses:DisputeFees" in gift.balances()) is not fee_returned
    await gift.assert_agrees()


async def test_a_lost_dispute_is_written_off_and_a_late_win_takes_that_back(scene: Scene) -> None:
    gift = await paid(scene)
    dispute = await disputed(gift)
    await hear(gift, dispute, *OPEN)
    await move(gift, dispute, "lost")
    [lost] = await hear(gift, dispute, "charge.dispute.closed", "charge.dispute.closed")
    assert (lost.status, lost.withdrawn_minor) == ("lost", 10_000)
    assert "Assets:Disputed" not in gift.balances()
    assert "Income:Donations" not in gift.balances()
    await gift.assert_agrees()
    await move(gift, dispute, "won")
    await hear(gift, dispute, "charge.dispute.funds_reinstated", "charge.dispute.closed")
    kinds = [entry.kind for entry in gift.entries[1:]]
    assert kinds == ["dispute_withdrawn", "adjustment", "dispute_reinstated", "adjustment"]
    assert gift.balances()["Income:Donations"] == -10_000
    assert "Assets:Disputed" not in gift.balances()
    await gift.assert_agrees()


async def test_a_returned_debit_is_told_from_a_complaint(scene: Scene) -> None:
    gift = await paid(scene)
    dispute = await disputed(gift, reason="debit_not_authorized", status="lost", fee=750)
    [told] = await hear(gift, dispute, "charge.dispute.created")
    assert (told.is_return, told.status) == (True, "lost")
    assert gift.balances()["Expenses:DisputeFees"] == 750
    await gift.assert_agrees()


@pytest.mark.parametrize("withdraws", [True, False])
async def test_a_prevented_dispute_books_what_it_moved(scene: Scene, withdraws: bool) -> None:
    gift = await paid(scene)
    dispute = await disputed(gift, status="prevented", withdraws=withdraws)
    [told] = await hear(gift, dispute, "charge.dispute.created", "charge.dispute.closed")
    assert told.status == "prevented"
    assert "Assets:Disputed" not in gift.balances()
    assert ("Income:Donations" in gift.balances()) is not withdraws
    await gift.assert_agrees()


async def test_a_part_of_a_gift_may_be_disputed_more_than_once(scene: Scene) -> None:
    gift = await paid(scene)
    one, two = await disputed(gift, amount=4000), await disputed(gift, amount=3000)
    await move(gift, one, "lost")
    told = await gift.settle(gift.look(gift.charge))
    assert {each.amount_minor: each.status for each in told} == {
        4000: "lost",
        3000: "needs_response",
    }
    assert gift.balances()["Assets:Disputed"] == 3000
    await move(gift, two, "won")
    await gift.settle(gift.look(two))
    assert gift.balances()["Income:Donations"] == -6000
    await gift.assert_agrees()


async def test_rates_of_other_days_take_more_than_the_gift_and_give_less(scene: Scene) -> None:
    scene.account = await scene.sandbox.account("US")
    scene.organization, _ = await scene.bench.organization(scene.account)
    scene.fund = await scene.add_fund("USD")
    gift = await paid(scene, fund_currency="USD")
    try:
        await scene.sandbox.control("rates", usd=1.2)
        dispute = await disputed(gift)
        await hear(gift, dispute, *OPEN)
        taken = gift.balances()["Assets:Disputed"]
        assert taken == 12_000 > gift.captured.gross_minor
        await scene.sandbox.control("rates", usd=1.1)
        await move(gift, dispute, "won")
        await hear(gift, dispute, "charge.dispute.closed")
    finally:
        await scene.sandbox.control("rates", usd=1.08)
    assert "Assets:Disputed" not in gift.balances()
    conversion = [
        int(line.amount)
        for line in gift.entries[2].postings or ()
        if (line.account, line.currency) == ("Equity:Conversion", "USD")
    ]
    assert conversion == [1000], "what the rate cost between the two"
    usd = sum(
        int(line.amount)
        for entry in gift.entries
        for line in entry.postings or ()
        if (line.account, line.currency) == ("Assets:Stripe", "USD")
    )
    assert usd == await gift.stripe_minor()


async def test_a_refund_is_refused_while_a_dispute_is_open(scene: Scene) -> None:
    """C-01 (a): by what we know without a call, and by Stripe when its event is late."""
    gift = await paid(scene)
    dispute = await disputed(gift)
    [by_stripe] = await gift.settle(gift.request())
    assert (by_stripe.status, by_stripe.code) == ("refused", "dispute_open")
    await hear(gift, dispute, *OPEN)
    unreachable = {"method": "POST", "path": "/v1/refunds", "action": "answer", "status": 500}
    await scene.sandbox.control("faults", **unreachable)
    [known] = await gift.settle(gift.request())
    assert (known.status, known.code) == ("refused", "dispute_open")
    await scene.sandbox.ask("DELETE", "/_sandbox/faults")
    await move(gift, dispute, "won")
    await hear(gift, dispute, "charge.dispute.funds_reinstated")
    [done] = await gift.settle(gift.request())
    assert (done.status, done.amount_minor) == ("succeeded", 10_000)
    await gift.assert_agrees()


async def test_a_refund_that_crossed_a_dispute_leaves_both_booked(scene: Scene) -> None:
    """C-01 (b): the refund came a second before, its event after the dispute's."""
    gift = await paid(scene)
    refund = await gift.in_dashboard()
    dispute = await disputed(gift)
    await hear(gift, dispute, *OPEN)
    await gift.assert_does_not_agree()
    [told] = await gift.settle(scene.event("refund.created", refund))
    assert told.status == "succeeded"
    await gift.assert_agrees()
    await move(gift, dispute, "won")
    await hear(gift, dispute, "charge.dispute.funds_reinstated")
    assert gift.balances().get("Income:Donations", 0) == 0
    await gift.assert_agrees()


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_all_events_ends_in_the_same_books(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    gift = await paid(scene)
    refunds = [await gift.in_dashboard(amount=amount) for amount in (1000, 2000)]
    dispute = await disputed(gift, amount=7000)
    await move(gift, dispute, chance.choice(["won", "lost"]))
    await scene.sandbox.control(f"refunds/{refunds[0]}", status="failed")
    events = [
        *[scene.event(name, dispute) for name in (*OPEN, "charge.dispute.closed")],
        *[scene.event("refund.created", each) for each in refunds],
        *[scene.event("refund.updated", each) for each in refunds],
        scene.event("charge.refunded", gift.charge),
        gift.look(gift.charge),
    ]
    events *= 2
    chance.shuffle(events)
    size = chance.randint(1, 5)
    for start in range(0, len(events), size):
        await gift.settle(*events[start : start + size])
    await gift.assert_agrees()
    assert "Assets:Disputed" not in gift.balances()


async def test_looks_at_strange_objects(scene: Scene) -> None:
    gift = await paid(scene)
    assert await gift.settle(gift.look("re_missing"), gift.look("dp_missing")) == []
    assert await gift.settle(gift.look(gift.captured.payment_intent)) == []
    again = gift.look("re_missing")
    assert await gift.settle(again) == []
    assert await scene.ignored() == ["not_found", "not_found"], "each object once"
