"""Bank debits: `processing` for days, settled or failed later; confirmed in the donor's browser."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentFailed,
    PaymentProcessing,
)
from tests.workers.payments.conftest import Scene
from tests.workers.payments.test_turns import again, cancel, overdue
from workers.payments.worker import WORKER

SIX_DAYS_S = 6 * 86_400


async def debited(scene: Scene, method: str) -> tuple[Any, str]:
    """A gift whose donor gave a bank account in the browser; its intent."""
    promised = scene.gift(payment_method=None)
    [asked] = await scene.settle(promised)
    intent = asked.body.payment_intent
    confirmed = await scene.in_browser(intent, payment_method=method)
    assert confirmed["status"] == "processing"
    return promised, intent


async def test_debit_is_on_its_way_for_days_and_then_there(scene: Scene) -> None:
    promised, intent = await debited(scene, "pm_successDelayed_de")
    told = scene.event("payment_intent.processing", intent)
    [processing] = await scene.settle(told)
    assert processing.body == PaymentProcessing(
        donation=promised.body.donation, payment_intent=intent
    )
    assert await scene.settle(scene.event("payment_intent.processing", intent)) == []
    # It neither expires nor can it be canceled or paid by another method meanwhile.
    assert await overdue(scene, timedelta(hours=30)) == []
    assert await scene.settle(cancel(promised), again(promised)) == []
    assert await scene.bench.set_aside(WORKER) == []
    await scene.sandbox.control("clock", advance_s=SIX_DAYS_S)
    [captured] = await scene.settle(scene.event("payment_intent.succeeded", intent))
    body: PaymentCaptured = captured.body
    assert (body.gross_minor, body.fee_minor) == (2500, 35)
    assert [movement["source"] for movement in await scene.movements()] == [body.charge]


async def test_debit_that_the_bank_refuses_days_later_may_be_paid_by_card(scene: Scene) -> None:
    promised, intent = await debited(scene, "pm_failedDelayed_de")
    await scene.settle(scene.event("payment_intent.processing", intent))
    await scene.sandbox.control("clock", advance_s=SIX_DAYS_S)
    [failed] = await scene.settle(scene.event("payment_intent.payment_failed", intent))
    assert isinstance(failed.body, PaymentFailed)
    assert failed.body.decline_code == "debit_declined"
    assert await scene.movements() == []
    [asked] = await scene.settle(again(promised, None))
    assert asked.body == PaymentActionRequired(
        donation=promised.body.donation, payment_intent=intent, attempt=2
    )
    await scene.in_browser(intent, payment_method="pm_card_visa")
    [captured] = await scene.settle(scene.event("payment_intent.succeeded", intent))
    assert captured.body.payment_intent == intent
    assert len(await scene.sandbox.intents(scene.account)) == 1


async def test_debit_that_fails_after_the_time_to_pay_expires_and_is_closed_at_stripe(
    scene: Scene,
) -> None:
    promised, intent = await debited(scene, "pm_failedDelayed_de")
    await scene.settle(scene.event("payment_intent.processing", intent))
    await scene.sandbox.control("clock", advance_s=SIX_DAYS_S)
    await scene.settle(scene.event("payment_intent.payment_failed", intent))
    [due] = await overdue(scene, timedelta(days=6))
    [closed] = await scene.settle(due)
    assert closed.body.reason == "expired"
    assert await scene.settle(again(promised)) == []


@pytest.mark.parametrize("lost", [True, False])
async def test_debit_whose_events_are_lost_is_found_by_a_look(scene: Scene, lost: bool) -> None:
    promised, intent = await debited(scene, "pm_success_de")
    if not lost:
        await scene.settle(scene.event("payment_intent.processing", intent))
    await scene.sandbox.control("clock", advance_s=SIX_DAYS_S)
    [captured] = await scene.settle(scene.look(intent))
    assert captured.body.donation == promised.body
    now = datetime.now(UTC)
    late = scene.event("payment_intent.processing", intent)
    assert await scene.settle(replace(late, time=now)) == []
