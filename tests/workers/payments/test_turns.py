"""Gifts confirmed on the client, tried again, canceled, expired: one payment at most, ever."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.payments import (
    PaymentActionRequired,
    PaymentAttemptRequested,
    PaymentCancelRequested,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from ledger.keys import decrypt, derive
from tests.workers.bench import message, new
from tests.workers.payments.conftest import Scene
from topics.registry import PAYMENTS_ATTEMPT_REQUESTED, PAYMENTS_CANCEL_REQUESTED
from workers.payments import expiry
from workers.payments.worker import WORKER

DECLINED = "pm_card_chargeDeclined"
ASKS_BANK = "pm_card_threeDSecure2Required"


def again(promised: Any, payment_method: str | None = "pm_card_visa") -> Any:
    body = PaymentAttemptRequested(
        donation=promised.body.donation, payment_method=payment_method, requested_by=new("key")
    )
    return message(PAYMENTS_ATTEMPT_REQUESTED, promised.organization, body)


def cancel(promised: Any, reason: Any = "canceled") -> Any:
    body = PaymentCancelRequested(donation=promised.body.donation, reason=reason)
    return message(PAYMENTS_CANCEL_REQUESTED, promised.organization, body)


async def succeeded(scene: Scene, intent: str) -> list[Any]:
    return await scene.settle(scene.event("payment_intent.succeeded", intent))


async def pay_on_client(scene: Scene, intent: str, method: str = "pm_card_visa") -> Any:
    """What Stripe.js does in the donor's browser."""
    data = {"payment_method": method, "return_url": "https://example.org/thanks"}
    return await scene.sandbox.ask(
        "POST", f"/v1/payment_intents/{intent}/confirm", data=data, account=scene.account
    )


async def test_gift_without_a_payment_method_is_left_to_the_donors_client(scene: Scene) -> None:
    promised = scene.gift(payment_method=None)
    [asked] = await scene.settle(promised)
    assert isinstance(asked.body, PaymentActionRequired)
    [intent] = await scene.sandbox.intents(scene.account)
    assert (intent["status"], intent["amount"]) == ("requires_payment_method", 2500)
    [row] = await scene.bench.fetch(
        "SELECT ciphertext FROM payments.client_secrets WHERE donation = $1", promised.body.donation
    )
    key = derive(bytes.fromhex("11" * 32), "client-secret")
    secret = decrypt(key, row["ciphertext"], promised.body.donation.encode()).decode()
    assert secret == intent["client_secret"]
    await pay_on_client(scene, intent["id"])
    [captured] = await succeeded(scene, intent["id"])
    assert captured.body.donation == promised.body


async def test_card_mistyped_on_the_client_leaves_the_gift_open(scene: Scene) -> None:
    [asked] = await scene.settle(scene.gift(payment_method=None))
    intent = asked.body.payment_intent
    with pytest.raises(AssertionError, match="declined"):
        await pay_on_client(scene, intent, DECLINED)
    assert await scene.settle(scene.event("payment_intent.payment_failed", intent)) == []
    await pay_on_client(scene, intent)
    [captured] = await succeeded(scene, intent)
    assert isinstance(captured.body, PaymentCaptured)


async def test_declined_gift_is_tried_again_on_the_same_intent(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    [first] = await scene.settle(promised)
    assert (first.body.attempt, first.body.code) == (1, "card_declined")
    [second] = await scene.settle(again(promised, DECLINED))
    assert (second.body.attempt, second.body.code) == (2, "card_declined")
    assert second.id != first.id
    third = again(promised)
    [processing] = await scene.settle(third)
    assert processing.body == PaymentProcessing(
        donation=promised.body.donation,
        payment_intent=processing.body.payment_intent,
        attempt=3,
    )
    [intent] = await scene.sandbox.intents(scene.account)
    assert intent["id"] == processing.body.payment_intent
    [captured] = await succeeded(scene, intent["id"])
    assert captured.body.charge == intent["latest_charge"]
    # Whatever is repeated now, and asked once more, moves no money.
    late = [replace(third, id=promised.id), again(promised), again(promised, DECLINED)]
    assert await scene.settle(*late) == []
    assert len(await scene.sandbox.intents(scene.account)) == 1


async def test_attempt_after_a_method_that_made_no_intent_makes_one(scene: Scene) -> None:
    promised = scene.gift(payment_method="pm_no_such_method")
    [failed] = await scene.settle(promised)
    assert failed.body.code == "payment_method_not_accepted"
    [processing] = await scene.settle(again(promised))
    [intent] = await scene.sandbox.intents(scene.account)
    assert processing.body.payment_intent == intent["id"]
    assert intent["metadata"]["donation"] == promised.body.donation


async def test_failed_three_d_secure_may_be_tried_again_or_left_to_the_client(
    scene: Scene,
) -> None:
    promised = scene.gift(payment_method=ASKS_BANK)
    [asked] = await scene.settle(promised)
    intent = asked.body.payment_intent
    await scene.sandbox.control(f"payment_intents/{intent}/authentication", outcome="failed")
    [failed] = await scene.settle(scene.event("payment_intent.payment_failed", intent))
    assert isinstance(failed.body, PaymentFailed)
    [left] = await scene.settle(again(promised, None))
    assert left.body == PaymentActionRequired(
        donation=promised.body.donation, payment_intent=intent, attempt=2
    )
    await pay_on_client(scene, intent)
    [captured] = await succeeded(scene, intent)
    assert captured.body.payment_intent == intent


async def test_late_word_of_the_last_failure_does_not_end_the_attempt_under_way(
    scene: Scene,
) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    lost = again(promised)
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/payment_intents", action="answer", status=503
    )
    assert await scene.settle(lost) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    assert await scene.settle(scene.event("payment_intent.payment_failed", intent["id"])) == []
    assert (await scene.attempt(promised.body.donation))["state"] == "calling"
    [processing] = await scene.settle(lost)
    assert processing.body.attempt == 2


async def test_first_message_that_comes_back_during_a_later_attempt_charges_nothing(
    scene: Scene,
) -> None:
    """Its answer was recorded from an event, the donor tried again, then it was delivered anew."""
    promised = scene.gift(payment_method=DECLINED)
    await WORKER.routes[0].call(promised, scene.payments)  # type: ignore[union-attr]  # an Act
    [intent] = await scene.sandbox.intents(scene.account)
    [failed] = await scene.settle(scene.event("payment_intent.payment_failed", intent["id"]))
    assert isinstance(failed.body, PaymentFailed)
    turn = again(promised)
    await WORKER.routes[1].call(turn, scene.payments)  # type: ignore[union-attr]  # an Act
    assert await scene.settle(promised) == []
    [processing] = await scene.settle(turn)
    assert processing.body.payment_intent == intent["id"]
    assert len(await scene.sandbox.intents(scene.account)) == 1


async def test_crash_between_answer_and_record_of_an_attempt_charges_once(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    turn = again(promised)
    await WORKER.routes[1].call(turn, scene.payments)  # type: ignore[union-attr]  # an Act
    [processing] = await scene.settle(turn)
    [intent] = await scene.sandbox.intents(scene.account)
    assert (processing.body.payment_intent, intent["status"]) == (intent["id"], "succeeded")
    charges = await scene.sandbox.ask("GET", "/v1/charges", account=scene.account)
    assert [charge["status"] for charge in charges["data"]] == ["succeeded", "failed"]


async def test_attempt_on_an_account_that_may_not_charge(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    await scene.disable()
    [failed] = await scene.settle(again(promised))
    assert (failed.body.code, failed.body.attempt) == ("account_unavailable", 2)


@pytest.mark.parametrize("method", [None, DECLINED, ASKS_BANK])
async def test_canceled_gift_is_closed_at_stripe_and_never_tried_again(
    scene: Scene, method: str | None
) -> None:
    promised = scene.gift(payment_method=method)
    await scene.settle(promised)
    [closed] = await scene.settle(cancel(promised))
    assert closed.body == PaymentClosed(donation=promised.body.donation, reason="canceled")
    [intent] = await scene.sandbox.intents(scene.account)
    assert (intent["status"], intent["cancellation_reason"]) == (
        "canceled",
        "requested_by_customer",
    )
    told = scene.event("payment_intent.canceled", intent["id"])
    assert await scene.settle(again(promised), cancel(promised), told) == []
    assert len(await scene.sandbox.intents(scene.account)) == 1


async def test_cancel_that_comes_too_late_changes_nothing(scene: Scene) -> None:
    promised = scene.gift()
    [processing] = await scene.settle(promised)
    assert await scene.settle(cancel(promised)) == []
    [captured] = await succeeded(scene, processing.body.payment_intent)
    assert isinstance(captured.body, PaymentCaptured)
    assert await scene.settle(cancel(promised)) == []


async def test_cancel_waits_for_an_outcome_that_is_unknown(scene: Scene) -> None:
    promised = scene.gift()
    await scene.charge(promised)
    assert await scene.settle(cancel(promised)) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]


async def test_gift_canceled_in_stripes_dashboard_is_closed(scene: Scene) -> None:
    [asked] = await scene.settle(scene.gift(payment_method=None))
    intent = asked.body.payment_intent
    await scene.sandbox.ask("POST", f"/v1/payment_intents/{intent}/cancel", account=scene.account)
    [closed] = await scene.settle(scene.event("payment_intent.canceled", intent))
    assert closed.body.reason == "canceled"


async def overdue(scene: Scene, after: timedelta) -> list[Any]:
    """What a sweep asks for when so much business time has passed."""
    at = replace(scene.payments.expiry, now=lambda: datetime.now(UTC) + after)
    await expiry.sweep(scene.payments.pool, at)
    return [each for each in await scene.bench.sent() if each.organization == scene.organization]


async def test_gifts_that_stay_unpaid_expire_and_paid_ones_do_not(scene: Scene) -> None:
    unpaid = [scene.gift(payment_method=method) for method in (None, DECLINED, ASKS_BANK)]
    paid = scene.gift()
    await scene.settle(*unpaid, paid)
    assert await overdue(scene, timedelta(hours=23)) == []
    asked = await overdue(scene, timedelta(hours=25))
    assert {each.body.donation for each in asked} == {each.body.donation for each in unpaid}
    assert {each.body.reason for each in asked} == {"expired"}
    assert await overdue(scene, timedelta(hours=25)) == []  # Asked for once a day.
    closed = await scene.settle(*asked)
    assert [each.body.reason for each in closed] == ["expired"] * 3
    intents = await scene.sandbox.intents(scene.account)
    assert sorted(intent["status"] for intent in intents) == ["canceled"] * 3 + ["succeeded"]
    assert await scene.settle(*(again(each) for each in unpaid)) == []


async def test_attempt_after_the_time_to_pay_is_not_made(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    late = replace(
        scene.payments.expiry, now=lambda: datetime.now(UTC) + timedelta(hours=24, seconds=1)
    )
    scene.payments = replace(scene.payments, expiry=late)
    assert await scene.settle(again(promised)) == []
    [intent] = await scene.sandbox.intents(scene.account)
    assert intent["status"] == "requires_payment_method"


async def test_expiry_told_by_stripes_event_first_is_still_an_expiry(scene: Scene) -> None:
    [asked] = await scene.settle(scene.gift(payment_method=None))
    intent = asked.body.payment_intent
    [due] = await overdue(scene, timedelta(hours=25))
    await WORKER.routes[2].call(due, scene.payments)  # type: ignore[union-attr]  # an Act
    [closed] = await scene.settle(scene.event("payment_intent.canceled", intent))
    assert closed.body.reason == "expired"
    assert await scene.settle(due) == []
