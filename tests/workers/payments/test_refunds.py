"""Refunds against the sandbox process and PostgreSQL, by the runtime's own batches."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.entries import EntryRequested
from contracts.identifiers import random_id
from contracts.looks import PaymentLookRequested
from contracts.payments import PaymentCaptured
from contracts.refunds import RefundChanged
from tests.workers.bench import Bench, bodies, message, new
from tests.workers.conftest import Sandbox
from tests.workers.payments.conftest import Scene
from tests.workers.payments.paying_back import paid
from topics.registry import PAYMENTS_LOOK_REQUESTED
from workers.payments import refunds
from workers.payments.resources import Payments
from workers.payments.worker import WORKER


async def test_a_refund_is_made_booked_and_told_once(scene: Scene) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    [changed] = await gift.settle(asked)
    [at_stripe] = await gift.refunds()
    assert at_stripe["amount"] == 3000
    assert at_stripe["metadata"]["refund"] == changed.refund == asked.body.refund
    assert (changed.status, changed.version, changed.amount_minor) == ("succeeded", 1, 3000)
    assert changed.stripe_refund == at_stripe["id"]
    # The same command again, and every event about it, say nothing new.
    again = replace(asked, id=random_id(asked.time))
    events = [
        scene.event("refund.created", at_stripe["id"]),
        scene.event("charge.refunded", gift.charge),
        scene.event("charge.refund.updated", at_stripe["id"]),
    ]
    assert await gift.settle(again, *events, gift.look(at_stripe["id"])) == []
    assert gift.balances()["Income:Donations"] == -7000
    await gift.assert_agrees()
    rows = await scene.movements()
    assert [(row["category"], row["net_minor"]) for row in rows][1:] == [("refund", -3000)]


async def test_nothing_named_is_all_that_is_left(scene: Scene) -> None:
    gift = await paid(scene)
    await gift.settle(gift.request(3000))
    [changed] = await gift.settle(gift.request())
    assert changed.amount_minor == 7000
    assert "Income:Donations" not in gift.balances()
    assert gift.balances()["Expenses:ProcessorFees"] == gift.captured.fee_minor
    await gift.assert_agrees()


@pytest.mark.parametrize("amounts", [[10_001], [4000, 6001], [10_000, None], [10_000, 1]])
async def test_more_than_is_left_is_refused_without_a_call(
    scene: Scene, amounts: list[int | None]
) -> None:
    gift = await paid(scene)
    for amount in amounts[:-1]:
        await gift.settle(gift.request(amount))
    before = len(await gift.refunds())
    [changed] = await gift.settle(gift.request(amounts[-1]))
    assert (changed.status, changed.code) == ("refused", "exceeds_refundable")
    assert len(await gift.refunds()) == before


async def test_what_was_refunded_in_the_dashboard_counts_by_stripes_figure(scene: Scene) -> None:
    gift = await paid(scene)
    await gift.in_dashboard(amount=6000)  # Its event is late.
    [refused] = await gift.settle(gift.request(5000))
    assert (refused.status, refused.code) == ("refused", "exceeds_refundable")
    [changed] = await gift.settle(gift.request())
    assert changed.amount_minor == 4000


async def test_refunds_of_the_dashboard_are_booked_by_their_ids_in_any_order(scene: Scene) -> None:
    """C-02: the charge's running total never is a refund's amount."""
    first_seen = None
    for order in itertools.permutations(range(3)):
        gift = await paid(scene)
        one, two = await gift.in_dashboard(amount=3000), await gift.in_dashboard(amount=2000)
        events = [
            scene.event("charge.refunded", gift.charge),
            scene.event("refund.created", one),
            scene.event("refund.created", two),
        ]
        told = await gift.settle(*[events[place] for place in order])
        told += await gift.settle(scene.event("charge.refunded", gift.charge))
        assert sorted(each.amount_minor for each in told) == [2000, 3000]
        assert {each.refund[:4] for each in told} == {"rfd_"}
        entries = sorted(
            [entry.kind, *(line.amount for line in entry.postings or ())] for entry in gift.entries
        )
        first_seen = first_seen or entries
        assert entries == first_seen
        assert gift.balances()["Income:Donations"] == -5000


async def test_a_succeeded_refund_may_fail_later(scene: Scene) -> None:
    gift = await paid(scene)
    [changed] = await gift.settle(gift.request(3000))
    moved = {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    await scene.sandbox.control(f"refunds/{changed.stripe_refund}", **moved)
    [failed] = await gift.settle(scene.event("refund.failed", changed.stripe_refund))
    assert (failed.status, failed.code, failed.version) == (
        "failed",
        "expired_or_canceled_card",
        2,
    )
    assert [entry.kind for entry in gift.entries] == ["donation", "refund", "refund_failed"]
    assert gift.entries[2].ref == changed.entry == failed.entry
    await gift.assert_agrees()
    [again] = await gift.settle(gift.request())
    assert again.amount_minor == 10_000, "what came back can be refunded again"


async def test_a_refund_that_the_donor_must_act_on_may_be_canceled(scene: Scene) -> None:
    gift = await paid(scene)
    found = await gift.in_dashboard(amount=3000, status="requires_action")
    [changed] = await gift.settle(scene.event("refund.created", found))
    assert changed.status == "requires_action"
    await scene.sandbox.control(f"refunds/{found}", status="canceled")
    [canceled] = await gift.settle(scene.event("refund.updated", found))
    assert canceled.status == "canceled"
    await gift.assert_agrees()


async def test_a_refund_waits_for_the_accounts_money(scene: Scene) -> None:
    settings = {"settings[payouts][debit_negative_balances]": "false"}
    path = f"/v1/accounts/{scene.account}"
    await scene.sandbox.ask("POST", path, data=settings)
    gift = await paid(scene)
    [pending] = await gift.settle(gift.request())  # The fee is missing.
    assert (pending.status, pending.code) == ("pending", "insufficient_funds")
    assert [entry.kind for entry in gift.entries] == ["donation"]
    await paid(scene)
    await scene.sandbox.control("clock", advance_s=60)
    [done] = await gift.settle(scene.event("refund.updated", pending.stripe_refund))
    assert done.status == "succeeded"
    assert gift.balances().get("Income:Donations", 0) == 0


async def test_figures_of_another_settlement_currency_are_stripes(scene: Scene) -> None:
    scene.account = await scene.sandbox.account("US")
    scene.organization, scene.fund = await scene.bench.organization(scene.account)
    gift = await paid(scene, fund_currency="USD")
    assert gift.captured.settlement_currency == "USD"
    await gift.settle(gift.request(3000))
    lines = {
        (line.account, line.currency): int(line.amount) for line in gift.entries[1].postings or ()
    }
    assert lines["Income:Donations", "EUR"] == 3000 == -lines["Equity:Conversion", "EUR"]
    assert lines["Equity:Conversion", "USD"] == -lines["Assets:Stripe", "USD"] > 0
    await gift.assert_agrees()


async def test_an_event_that_overtakes_our_record_finds_the_request(scene: Scene) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    await refunds.request(asked, scene.payments)
    [at_stripe] = await gift.refunds()
    [changed] = await gift.settle(scene.event("refund.created", at_stripe["id"]))
    assert changed.refund == asked.body.refund
    assert await gift.settle(asked) == []
    await gift.assert_agrees()


async def test_a_refund_that_overtakes_its_gift_waits_and_a_look_shows_both(scene: Scene) -> None:
    promised = scene.gift()
    await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    made = await scene.sandbox.control(f"charges/{intent['latest_charge']}/refunds")
    early = scene.event("refund.created", made["id"])
    assert await scene.settle(early) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    body = PaymentLookRequested(
        account=scene.account, object=intent["latest_charge"], reason="unbooked_movement"
    )
    sent = await scene.settle(message(PAYMENTS_LOOK_REQUESTED, scene.organization, body))
    [captured], [changed] = bodies(sent, PaymentCaptured), bodies(sent, RefundChanged)
    assert (captured.charge, changed.status) == (intent["latest_charge"], "succeeded")
    [entry] = bodies(sent, EntryRequested)
    assert entry.kind == "refund"
    assert await scene.settle(early) == []


async def test_a_lost_answer_is_looked_up_before_it_is_asked_again(scene: Scene) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    await scene.sandbox.control("faults", method="POST", path="/v1/refunds", action="drop")
    assert await scene.settle(asked) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    [changed] = await gift.settle(asked)
    assert changed.status == "succeeded"
    assert len(await gift.refunds()) == 1


async def test_a_key_that_stripe_forgot_makes_no_second_refund(scene: Scene) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    await refunds.request(asked, scene.payments)
    await scene.bench.fetch(  # As if Stripe had forgotten the key: the next one makes another.
        "UPDATE payments.refunds SET attempt = 2, called_at = $1 WHERE id = $2",
        datetime.now(UTC) - timedelta(hours=30),
        asked.body.refund,
    )
    [changed] = await gift.settle(asked)
    assert changed.status == "succeeded"
    assert len(await gift.refunds()) == 1


async def test_a_failure_that_stripe_remembers_gets_a_new_key_after_a_look(scene: Scene) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/refunds", action="answer", status=500
    )
    for _ in range(2):  # The failure; the same, remembered.
        assert await scene.settle(asked) == []
        assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    [changed] = await gift.settle(asked)
    assert changed.status == "succeeded"
    assert len(await gift.refunds()) == 1


async def test_a_refund_of_a_gift_that_is_not_paid_is_refused(scene: Scene) -> None:
    promised = scene.gift()
    await scene.settle(promised)
    gift = await paid(scene)
    [changed] = await gift.settle(gift.request(donation=promised.body.donation))
    assert (changed.status, changed.code) == ("refused", "not_captured")
    await scene.settle(gift.request(donation=new("don")))
    assert await scene.bench.set_aside(WORKER) == [("dead", "unknown_gift")]


async def test_a_refund_on_an_account_that_shut_us_out_is_refused(scene: Scene) -> None:
    gift = await paid(scene)
    await scene.sandbox.control(f"accounts/{scene.account}/deauthorize")
    [changed] = await gift.settle(gift.request())
    assert (changed.status, changed.code) == ("refused", "account_unavailable")


async def test_a_refund_of_somebody_elses_charge_is_kept_and_not_booked(scene: Scene) -> None:
    intent = await scene.sandbox.ask(
        "GET", f"/v1/payment_intents/{await scene.intent()}", account=scene.account
    )
    made = await scene.sandbox.control(f"charges/{intent['latest_charge']}/refunds")
    assert await scene.settle(scene.event("refund.created", made["id"])) == []
    assert await scene.settle(scene.event("refund.created", "re_missing")) == []
    assert sorted(await scene.ignored()) == ["foreign", "not_found"]


async def test_metadata_cannot_claim_another_gifts_refund(
    bench: Bench, sandbox: Sandbox, payments: Payments
) -> None:
    scene = await Scene(bench, sandbox, payments).prepare()
    gift, other = await paid(scene), await paid(scene)
    [known] = await gift.settle(gift.request(1000))
    data: dict[str, Any] = {"charge": other.charge, "amount": 500}
    data["metadata[refund]"] = known.refund
    made = await sandbox.ask("POST", "/v1/refunds", data=data, account=scene.account)
    [changed] = await other.settle(scene.event("refund.created", made["id"]))
    assert isinstance(changed, RefundChanged)
    assert changed.refund != known.refund
    assert changed.donation == other.donation
