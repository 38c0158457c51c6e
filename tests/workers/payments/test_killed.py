"""kill -9 of payments between Stripe's answer and the commit: one payment, one refund."""

from pathlib import Path
from typing import Any

import pytest

from contracts.payments import PaymentProcessing
from tests.workers.dying import die
from tests.workers.payments.conftest import Scene
from tests.workers.payments.paying_back import paid
from tests.workers.payments.test_turns import DECLINED, again


@pytest.fixture
def settings(scene: Scene, master_key_file: Path) -> dict[str, str]:
    return {
        **scene.sandbox.settings,
        "AMPLY_POSTGRES": scene.bench.role_dsn("payments"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": "https://amply.test",
    }


@pytest.mark.parametrize("step", ["payments.refunded", "runtime.before_commit"])
async def test_a_process_killed_between_call_and_commit_refunds_once(
    scene: Scene, settings: dict[str, str], tmp_path: Path, step: str
) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    await die("payments", step, scene.bench.delivery(asked), settings, tmp_path)
    assert len(await gift.refunds()) == 1, "Stripe made it, and nobody here wrote that down"
    assert await scene.bench.sent() == []

    [changed] = await gift.settle(asked)
    assert (changed.refund, changed.status) == (asked.body.refund, "succeeded")
    assert len(await gift.refunds()) == 1
    assert [entry.kind for entry in gift.entries] == ["donation", "refund"]
    await gift.assert_agrees()


async def charges(scene: Scene) -> list[Any]:
    body = await scene.sandbox.ask("GET", "/v1/charges", account=scene.account)
    return [charge["status"] for charge in body["data"]]


@pytest.mark.parametrize("step", ["payments.answered", "runtime.before_commit"])
@pytest.mark.parametrize("first", [None, DECLINED, "pm_no_such_method"])
async def test_a_process_killed_between_call_and_commit_of_an_attempt_charges_once(
    scene: Scene, settings: dict[str, str], tmp_path: Path, step: str, first: str | None
) -> None:
    promised = scene.gift(payment_method=first)
    await scene.settle(promised)
    before = await charges(scene)
    turn = again(promised)
    await die("payments", step, scene.bench.delivery(turn), settings, tmp_path)
    assert await charges(scene) == ["succeeded", *before], "Stripe made it"
    assert (await scene.attempt(promised.body.donation))["state"] == "calling"
    assert await scene.bench.sent() == []

    [told] = await scene.settle(turn)
    [intent] = await scene.sandbox.intents(scene.account)
    assert told.body == PaymentProcessing(
        donation=promised.body.donation, payment_intent=intent["id"], attempt=2
    )
    assert await scene.settle(turn, again(promised)) == []
    assert await charges(scene) == ["succeeded", *before]
    captured = await scene.settle(scene.event("payment_intent.succeeded", intent["id"]))
    assert len(captured) == 1
