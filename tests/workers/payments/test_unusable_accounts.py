"""Accounts that may not charge any more: what was asked of them before comes first."""

from typing import Any

import pytest

from contracts.payments import PaymentFailed, PaymentProcessing
from tests.workers.payments.conftest import Scene
from tests.workers.payments.test_turns import DECLINED, again
from workers.payments.worker import WORKER


async def lose_answer(scene: Scene, message: Any) -> None:
    """Stripe is called, and the process dies before it writes down what came of it."""
    route = 0 if hasattr(message.body, "amount_minor") else 1
    await WORKER.routes[route].call(message, scene.payments)  # type: ignore[union-attr]  # an Act


async def die_before_the_call(scene: Scene, promised: Any) -> None:
    assert await scene.payments.open_attempt(promised) is not None


async def move(scene: Scene, *, old: bool, new: bool) -> None:
    """The organization's next account is current; whether each of them may be charged."""
    await scene.bench.fetch(
        "UPDATE accounts.accounts SET stage = 'retired', charges_enabled = $2 WHERE account = $1",
        *(scene.account, old),
    )
    account = await scene.sandbox.account()
    await scene.bench.account(scene.organization, account, charges_enabled=new)


async def test_charge_whose_answer_was_lost_is_known_though_the_account_was_disabled_since(
    scene: Scene,
) -> None:
    promised = scene.gift()
    await lose_answer(scene, promised)
    await scene.disable()
    [told] = await scene.settle(promised)
    [intent] = await scene.sandbox.intents(scene.account)
    assert told.body == PaymentProcessing(
        donation=promised.body.donation, payment_intent=intent["id"]
    )


@pytest.mark.parametrize("first", ["pm_no_such_method", DECLINED])
async def test_attempt_whose_answer_was_lost_is_known_though_the_account_was_disabled_since(
    scene: Scene, first: str
) -> None:
    promised = scene.gift(payment_method=first)
    await scene.settle(promised)
    turn = again(promised)
    await lose_answer(scene, turn)
    await scene.disable()
    await scene.sandbox.control(f"accounts/{scene.account}", charges_enabled=False)
    [told] = await scene.settle(turn)
    [intent] = await scene.sandbox.intents(scene.account)
    assert told.body == PaymentProcessing(
        donation=promised.body.donation, payment_intent=intent["id"], attempt=2
    )


async def test_gift_of_a_disabled_account_that_stripe_was_never_asked_for_fails(
    scene: Scene,
) -> None:
    promised = scene.gift()
    await die_before_the_call(scene, promised)
    await scene.disable()
    await scene.sandbox.control(f"accounts/{scene.account}", charges_enabled=False)
    [failed] = await scene.settle(promised)
    assert failed.body.code == "account_unavailable"
    assert await scene.sandbox.intents(scene.account) == []


async def test_gift_whose_account_took_our_access_away_fails(scene: Scene) -> None:
    promised = scene.gift()
    await lose_answer(scene, promised)
    await scene.bench.fetch(
        "UPDATE accounts.accounts SET authorized = false WHERE account = $1", scene.account
    )
    await scene.sandbox.control(f"accounts/{scene.account}/deauthorize")
    [failed] = await scene.settle(promised)
    assert (type(failed.body), failed.body.code) == (PaymentFailed, "account_unavailable")


@pytest.mark.parametrize("old", [True, False])
async def test_an_attempt_is_judged_by_its_own_account_after_a_move(
    scene: Scene, *, old: bool
) -> None:
    promised = scene.gift()
    await die_before_the_call(scene, promised)
    await move(scene, old=old, new=not old)
    opened = await scene.payments.open_attempt(promised)
    assert opened is not None
    assert (opened.account, opened.usable, opened.begun_before) == (scene.account, old, True)


async def test_gift_is_tried_again_on_the_account_of_its_intent_after_a_move(scene: Scene) -> None:
    promised = scene.gift(payment_method=DECLINED)
    await scene.settle(promised)
    await move(scene, old=True, new=False)
    [told] = await scene.settle(again(promised))
    [intent] = await scene.sandbox.intents(scene.account)
    assert (told.body.payment_intent, intent["status"]) == (intent["id"], "succeeded")
