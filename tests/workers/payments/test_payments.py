"""Payments against the sandbox process and PostgreSQL, by the runtime's own batches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.identifiers import caused_id, random_id, time_of, type_id
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentFailed,
    PaymentProcessing,
)
from ledger.keys import decrypt, derive
from tests.workers.bench import Bench, bodies, gift, new
from tests.workers.conftest import Sandbox
from tests.workers.payments.conftest import Scene
from workers.payments.resources import Payments
from workers.payments.worker import WORKER


async def test_gift_is_charged_directly_and_captured_with_stripes_own_figures(
    scene: Scene,
) -> None:
    promised = scene.gift()
    sent = await scene.settle(promised)
    [processing] = bodies(sent, PaymentProcessing)
    [intent] = await scene.sandbox.intents(scene.account)
    assert processing.payment_intent == intent["id"]
    assert intent["amount"] == 2500
    assert intent["metadata"] == {
        "donation": promised.body.donation,
        "organization": scene.organization,
    }
    told = scene.event("payment_intent.succeeded", intent["id"])
    [captured] = await scene.settle(told)
    body: PaymentCaptured = captured.body
    assert body.donation == promised.body
    assert body.gross_minor == 2500 == body.fee_minor + body.net_minor
    assert body.fee_minor > 0 == body.platform_fee_minor
    assert captured.time == body.captured_at == time_of(captured.id)
    [movement] = await scene.movements()
    assert (movement["category"], movement["source"]) == ("charge", body.charge)
    assert (movement["balance_transaction"], movement["fund"]) == (
        body.balance_transaction,
        scene.fund,
    )
    assert (movement["amount_minor"], movement["net_minor"]) == (2500, body.net_minor)
    assert movement["entry"] == type_id("ent", caused_id(captured.id, "entries.requested.v1"))
    # Another event about the same charge, and the same gift again, say nothing new.
    again = scene.event("charge.updated", body.charge)
    assert await scene.settle(again, told, promised, replace(promised, id=told.id)) == []
    assert len(await scene.sandbox.intents(scene.account)) == 1
    assert await scene.movements() == [movement]


async def test_gift_whose_outcome_is_known_is_not_asked_about_again(scene: Scene) -> None:
    promised = scene.gift()
    await scene.settle(promised)
    unreachable: Any = None
    scene.payments = replace(scene.payments, stripe=unreachable)
    assert await scene.settle(replace(promised, id=random_id(promised.time))) == []
    assert await scene.bench.set_aside(WORKER) == []


async def test_event_that_overtakes_our_own_record_finds_its_gift(scene: Scene) -> None:
    promised = scene.gift()
    await WORKER.routes[0].call(promised, scene.payments)  # type: ignore[union-attr]  # an Act
    [intent] = await scene.sandbox.intents(scene.account)
    assert (await scene.attempt(promised.body.donation))["state"] == "calling"
    [captured] = await scene.settle(scene.event("payment_intent.succeeded", intent["id"]))
    assert captured.body.donation == promised.body
    assert await scene.settle(promised) == []
    assert (await scene.attempt(promised.body.donation))["state"] == "captured"


async def test_event_before_its_gift_waits(scene: Scene) -> None:
    early = scene.gift()
    intent = await scene.intent(
        **{"metadata[donation]": early.body.donation, "metadata[organization]": scene.organization}
    )
    assert await scene.settle(scene.event("payment_intent.succeeded", intent)) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_no_such_method", "payment_method_not_accepted", None),
    ],
)
async def test_final_no_is_told_once_whoever_hears_of_it(
    scene: Scene, method: str, code: str, decline_code: str | None
) -> None:
    promised = scene.gift(payment_method=method)
    [failed] = await scene.settle(promised)
    assert failed.body == PaymentFailed(
        donation=promised.body.donation, amount_minor=2500, code=code, decline_code=decline_code
    )
    for intent in await scene.sandbox.intents(scene.account):
        assert await scene.settle(scene.event("payment_intent.payment_failed", intent["id"])) == []


async def test_both_observers_of_a_decline_give_it_one_id(scene: Scene) -> None:
    promised = scene.gift(payment_method="pm_card_chargeDeclined")
    [first] = await scene.settle(promised)
    await scene.bench.fetch(
        "UPDATE payments.attempts SET state = 'calling' WHERE donation = $1", promised.body.donation
    )
    [intent] = await scene.sandbox.intents(scene.account)
    [second] = await scene.settle(scene.event("payment_intent.payment_failed", intent["id"]))
    assert (first.id, first.body) == (second.id, second.body)


async def test_amount_below_stripes_minimum(scene: Scene) -> None:
    [failed] = await scene.settle(scene.gift(amount_minor=1, charge_amount_minor=1))
    assert failed.body.code == "amount_too_small"
    assert (failed.body.minimum_minor, failed.body.minimum_currency) == (50, "EUR")


async def test_amount_that_stripe_cannot_represent_is_never_sent(scene: Scene) -> None:
    [failed] = await scene.settle(
        scene.gift(amount_minor=18_605, charge_amount_minor=18_605, currency="KWD")
    )
    assert failed.body.code == "amount_not_accepted"
    assert await scene.sandbox.intents(scene.account) == []


async def test_three_d_secure_keeps_the_secret_encrypted_and_goes_on(scene: Scene) -> None:
    promised = scene.gift(payment_method="pm_card_threeDSecure2Required")
    [asked] = await scene.settle(promised)
    assert isinstance(asked.body, PaymentActionRequired)
    [row] = await scene.bench.fetch(
        "SELECT ciphertext FROM payments.client_secrets WHERE donation = $1", promised.body.donation
    )
    key = derive(bytes.fromhex("11" * 32), "client-secret")
    secret = decrypt(key, row["ciphertext"], promised.body.donation.encode()).decode()
    assert secret.startswith(asked.body.payment_intent + "_secret_")
    await scene.sandbox.control(f"payment_intents/{asked.body.payment_intent}/authentication")
    done = scene.event("payment_intent.succeeded", asked.body.payment_intent)
    [captured] = await scene.settle(done)
    assert captured.body.donation == promised.body


async def test_failed_three_d_secure(scene: Scene) -> None:
    [asked] = await scene.settle(scene.gift(payment_method="pm_card_threeDSecure2Required"))
    intent = asked.body.payment_intent
    await scene.sandbox.control(f"payment_intents/{intent}/authentication", outcome="failed")
    [failed] = await scene.settle(scene.event("payment_intent.payment_failed", intent))
    assert failed.body.decline_code == "payment_intent_authentication_failure"


async def test_capture_waits_for_the_balance_transaction(scene: Scene) -> None:
    await scene.sandbox.control("late_transactions", enabled=True)
    [processing] = await scene.settle(scene.gift())
    intent = processing.body.payment_intent
    early = scene.event("payment_intent.succeeded", intent)
    assert await scene.settle(early) == []
    assert await scene.bench.set_aside(WORKER) == []
    await scene.sandbox.control("late_transactions/release")
    await scene.sandbox.control("late_transactions", enabled=False)
    [shown] = await scene.sandbox.intents(scene.account)
    [captured] = await scene.settle(scene.event("charge.updated", shown["latest_charge"]))
    assert captured.body.payment_intent == intent


async def test_lost_answer_is_resolved_by_the_same_key(scene: Scene) -> None:
    promised = scene.gift()
    await scene.sandbox.control("faults", method="POST", path="/v1/payment_intents", action="drop")
    assert await scene.settle(promised) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    assert (await scene.attempt(promised.body.donation))["state"] == "calling"
    [processing] = await scene.settle(promised)
    assert isinstance(processing.body, PaymentProcessing)
    assert len(await scene.sandbox.intents(scene.account)) == 1


async def test_crash_between_answer_and_record_charges_once(scene: Scene) -> None:
    promised = scene.gift()
    await scene.charge(promised)
    [processing] = await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    assert processing.body.payment_intent == intent["id"]


@pytest.mark.parametrize("status", [409, 429, 503])
async def test_passing_failures_are_tried_again(scene: Scene, status: int) -> None:
    promised = scene.gift()
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/payment_intents", action="answer", status=status
    )
    assert await scene.settle(promised) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]


async def test_failure_that_stripe_remembers_gets_a_new_key_after_a_look(scene: Scene) -> None:
    promised = scene.gift()
    now = datetime.now(UTC)
    later = {"now": now}
    scene.payments = replace(scene.payments, now=lambda: later["now"])
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/payment_intents", action="answer", status=500
    )
    for step in range(4):  # The failure; the same, remembered; too early to look; looked.
        assert await scene.settle(promised) == []
        assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
        if step == 2:
            later["now"] = now + timedelta(minutes=4)
    assert (await scene.attempt(promised.body.donation))["attempt"] == 2
    [processing] = await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    assert processing.body.payment_intent == intent["id"]


async def test_old_message_is_looked_up_before_it_is_charged(scene: Scene) -> None:
    old = scene.gift(time=datetime.now(UTC) - timedelta(hours=30))
    await scene.charge(old)
    [before] = await scene.sandbox.intents(scene.account)
    # As if Stripe had forgotten the key: another one would make another payment.
    await scene.bench.fetch("DELETE FROM payments.attempts WHERE donation = $1", old.body.donation)
    [processing] = await scene.settle(old)
    assert processing.body.payment_intent == before["id"]
    found = await scene.charge(old, attempt=2)
    assert getattr(found, "id", None) == before["id"]
    assert len(await scene.sandbox.intents(scene.account)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": {"charges_enabled": False}},
        {"state": {"authorized": False}},
        {"state": {"stage": "retired"}},
        {"has_account": False},
    ],
)
async def test_organization_that_may_not_charge(
    bench: Bench, sandbox: Sandbox, payments: Payments, change: dict[str, Any]
) -> None:
    scene = await Scene(bench, sandbox, payments).prepare(**change)
    [failed] = await scene.settle(scene.gift())
    assert failed.body.code == "account_unavailable"
    assert await sandbox.intents(scene.account) == []


async def test_organization_that_is_unknown(scene: Scene) -> None:
    [failed] = await scene.settle(gift(new("org"), scene.fund))
    assert failed.body.code == "account_unavailable"


async def test_revoked_access_ends_gifts_and_flags_late_events(scene: Scene) -> None:
    [processing] = await scene.settle(scene.gift())
    await scene.sandbox.control(f"accounts/{scene.account}/deauthorize")
    [failed] = await scene.settle(scene.gift())
    assert failed.body.code == "account_unavailable"
    late = scene.event("payment_intent.succeeded", processing.body.payment_intent)
    assert await scene.settle(late) == []
    assert await scene.ignored() == ["access_revoked"]


async def test_charges_taken_away_at_stripe_only(scene: Scene) -> None:
    await scene.sandbox.control(f"accounts/{scene.account}", charges_enabled=False)
    [failed] = await scene.settle(scene.gift())
    assert failed.body.code == "account_unavailable"
