"""Gifts left to the client and then confirmed at the server, and what Stripe refuses there."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.payments import PaymentActionRequired, PaymentProcessing
from tests.workers.payments.conftest import Scene
from tests.workers.payments.test_turns import ASKS_BANK, again
from workers.payments.worker import WORKER


@pytest.mark.parametrize(
    ("method", "expected"),
    [("pm_card_visa", PaymentProcessing), (ASKS_BANK, PaymentActionRequired)],
)
async def test_gift_left_to_the_client_may_be_tried_again_at_the_server(
    scene: Scene, method: str, expected: Any
) -> None:
    promised = scene.gift(payment_method=None)
    await scene.settle(promised)
    [told] = await scene.settle(again(promised, method))
    assert isinstance(told.body, expected)
    assert await scene.bench.set_aside(WORKER) == []
    [intent] = await scene.sandbox.intents(scene.account)
    assert told.body.payment_intent == intent["id"]
    if method == ASKS_BANK:
        back = intent["next_action"]["redirect_to_url"]["return_url"]
        assert back == scene.payments.return_url == "https://amply.test"


async def test_confirmation_that_stripe_takes_only_with_more_is_a_failed_attempt(
    scene: Scene,
) -> None:
    promised = scene.gift(payment_method=None)
    await scene.settle(promised)
    scene.payments = replace(scene.payments, return_url=None)  # type: ignore[arg-type]  # so
    [failed] = await scene.settle(again(promised))
    assert (failed.body.code, failed.body.attempt) == ("payment_method_not_accepted", 2)
    assert await scene.bench.set_aside(WORKER) == []
    [asked] = await scene.settle(again(promised, None))
    assert isinstance(asked.body, PaymentActionRequired)
