"""Cards that are declined too often: refused before Stripe is asked, whoever the gift is for."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.payments import PaymentProcessing
from tests.workers.bench import Bench
from tests.workers.conftest import Sandbox
from tests.workers.payments.conftest import Scene
from tests.workers.payments.test_turns import again
from workers.payments.cards import Cards
from workers.payments.resources import Payments, open_payments
from workers.payments.worker import WORKER

DECLINED, OTHER = "pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"


@pytest.fixture
async def payments(
    bench: Bench, sandbox: Sandbox, master_key_file: Path
) -> AsyncIterator[Payments]:
    await bench.fetch("DELETE FROM payments.card_declines")
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payments"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_LIMIT_CARD_DECLINES_PER_HOUR": "3",
        "AMPLY_URL": "https://amply.example",
    }
    async with open_payments(settings) as opened:
        yield opened
    await sandbox.ask("DELETE", "/_sandbox/faults")


async def decline(scene: Scene, times: int, method: str = DECLINED) -> list[str]:
    codes = []
    for _ in range(times):
        [failed] = await scene.settle(scene.gift(payment_method=method))
        codes.append(failed.body.code)
    return codes


async def test_a_card_is_refused_after_three_declines_for_every_organization(
    scene: Scene, bench: Bench, sandbox: Sandbox, payments: Payments
) -> None:
    assert await decline(scene, 4) == ["card_declined"] * 3 + ["too_many_attempts"]
    assert len(await sandbox.intents(scene.account)) == 3, "Stripe was not asked"
    other = await Scene(bench, sandbox, payments).prepare()
    assert await decline(other, 1) == ["too_many_attempts"]
    assert await decline(other, 1, OTHER) == ["card_declined"]
    [processing] = await other.settle(other.gift())
    assert isinstance(processing.body, PaymentProcessing)


async def test_tries_on_one_gift_count_like_gifts(scene: Scene, sandbox: Sandbox) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    for _ in range(2):
        await scene.settle(again(promised, DECLINED))
    [refused] = await scene.settle(again(promised, DECLINED))
    assert (refused.body.code, refused.body.attempt) == ("too_many_attempts", 4)
    [processing] = await scene.settle(again(promised))
    assert isinstance(processing.body, PaymentProcessing), "another card is another matter"


async def test_a_decline_counts_once_however_often_it_is_seen(scene: Scene, bench: Bench) -> None:
    promised = scene.gift(payment_method=DECLINED)
    [failed] = await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    for _ in range(3):
        await scene.settle(scene.event("payment_intent.payment_failed", intent["id"]))
    [row] = await bench.fetch("SELECT charge, length(card) FROM payments.card_declines")
    assert tuple(row.values()) == (intent["latest_charge"], 32)
    assert failed.body.code == "card_declined"
    assert await bench.set_aside(WORKER) == []


async def test_declines_that_only_an_event_shows_count(scene: Scene, bench: Bench) -> None:
    [asked] = await scene.settle(scene.gift(payment_method=None))
    intent = asked.body.payment_intent
    for _ in range(3):
        data = {"payment_method": DECLINED, "return_url": "https://example.org/thanks"}
        with pytest.raises(AssertionError, match="declined"):
            await scene.sandbox.ask(
                "POST", f"/v1/payment_intents/{intent}/confirm", data=data, account=scene.account
            )
        await scene.settle(scene.event("payment_intent.payment_failed", intent))
    assert await decline(scene, 1) == ["too_many_attempts"]


async def test_after_an_hour_a_card_is_tried_again_and_forgotten(
    scene: Scene, bench: Bench, payments: Payments
) -> None:
    assert await decline(scene, 4) == ["card_declined"] * 3 + ["too_many_attempts"]
    await bench.fetch(
        "UPDATE payments.card_declines SET declined_at = declined_at - $1::interval",
        timedelta(hours=1),
    )
    assert await decline(scene, 1) == ["card_declined"]
    await payments.cards.forget()
    assert len(await bench.fetch("SELECT FROM payments.card_declines")) == 1


async def test_a_gift_that_may_have_been_charged_is_not_refused(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/payment_intents", action="drop", count=1
    )
    assert await scene.settle(promised) == [], "the answer to the call was lost"
    await scene.bench.set_aside(WORKER)
    assert await decline(scene, 4) == ["card_declined"] * 3 + ["too_many_attempts"]
    [failed] = await scene.settle(promised)
    assert failed.body.code == "card_declined"


async def test_without_a_limit_nothing_is_counted(
    scene: Scene, bench: Bench, payments: Payments
) -> None:
    off = Cards(payments.pool, b"key", 0)
    scene.payments = replace(payments, cards=off)
    assert await decline(scene, 5) == ["card_declined"] * 5
    assert await bench.fetch("SELECT FROM payments.card_declines") == []


async def test_a_card_that_nobody_can_look_at_is_not_refused(scene: Scene) -> None:
    assert await decline(scene, 3) == ["card_declined"] * 3
    for status in (429, 404):
        await scene.sandbox.control(
            "faults", method="GET", path="/v1/payment_methods", action="answer", status=status
        )
        assert await decline(scene, 1) == ["card_declined"]
