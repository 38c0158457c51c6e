import asyncio
from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop, payment_parameters

DAY_S = 24 * 3600


async def count_intents(shop: Shop) -> int:
    listed = await shop.api.payment_intents.list_async({"limit": 100}, shop.on_account())
    return len(listed.data)


async def test_same_key_and_parameters_replay_the_first_answer(shop: Shop) -> None:
    first = await shop.give(key="k1", expand=["latest_charge"])
    body = shop.http.last_body
    request_id = shop.http.last_headers["Request-Id"]
    assert "Idempotent-Replayed" not in shop.http.last_headers
    again = await shop.give(key="k1", expand=["latest_charge"])
    assert again.id == first.id
    assert shop.http.last_body == body
    assert shop.http.last_headers["Idempotent-Replayed"] == "true"
    assert shop.http.last_headers["Original-Request"] == request_id
    assert shop.http.last_headers["Request-Id"] != request_id
    assert await count_intents(shop) == 1


async def test_declines_are_replayed_too(shop: Shop) -> None:
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await shop.give("pm_card_chargeDeclined", key="k2")
        bodies.append(shop.http.last_body)
        assert shop.http.last_status == 402
    assert bodies[0] == bodies[1]
    assert await count_intents(shop) == 1


@pytest.mark.parametrize("change", [{"amount": 5001}, {"metadata": {"a": "b"}}])
async def test_same_key_other_parameters_are_refused(shop: Shop, change: Any) -> None:
    await shop.give(key="k3")
    with pytest.raises(stripe.IdempotencyError) as refused:
        await shop.give(key="k3", **change)
    assert refused.value.http_status == 400
    assert await count_intents(shop) == 1


async def test_same_key_other_endpoint_is_refused(shop: Shop) -> None:
    intent = await shop.give("pm_card_threeDSecure2Required", key="k4")
    with pytest.raises(stripe.IdempotencyError):
        await shop.api.payment_intents.cancel_async(
            intent.id, None, shop.on_account(idempotency_key="k4")
        )


async def test_keys_belong_to_an_account(shop: Shop, sandbox: Sandbox) -> None:
    first = await shop.give(key="k5")
    await shop.open_account()
    second = await shop.give(key="k5")
    assert first.id != second.id


async def test_parameter_errors_do_not_use_up_a_key(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await shop.give(key="k6", amount=0)
    assert (await shop.give(key="k6")).status == "succeeded"


async def test_rate_limits_and_conflicts_do_not_use_up_a_key(shop: Shop, sandbox: Sandbox) -> None:
    for status in (429, 409):
        sandbox.fault("POST", "answer", status=status)
        with pytest.raises(stripe.StripeError) as refused:
            await shop.give(key="k7")
        assert refused.value.http_status == status
    assert (await shop.give(key="k7")).status == "succeeded"


async def test_500_is_remembered_until_another_key_is_used(shop: Shop, sandbox: Sandbox) -> None:
    sandbox.fault("POST", "answer", status=500)
    for replayed in (False, True):
        with pytest.raises(stripe.APIError):
            await shop.give(key="k8")
        assert ("Idempotent-Replayed" in shop.http.last_headers) is replayed
    assert await count_intents(shop) == 0
    assert (await shop.give(key="k8-2")).status == "succeeded"


async def test_concurrent_use_of_a_key_is_409_and_one_payment(shop: Shop, sandbox: Sandbox) -> None:
    sandbox.fault("POST", "delay", seconds=0.5, path="/v1/payment_intents", count=None)
    results = await asyncio.gather(*(shop.give(key="k9") for _ in range(5)), return_exceptions=True)
    paid = [each for each in results if isinstance(each, stripe.PaymentIntent)]
    conflicts = [each for each in results if isinstance(each, stripe.APIError)]
    assert (len(paid), len(conflicts)) == (1, 4)
    assert {(each.http_status, each.error.code) for each in conflicts if each.error} == {
        (409, "idempotency_key_in_use")
    }
    assert await count_intents(shop) == 1


@pytest.mark.parametrize("action", ["drop", "hang"])
async def test_library_retries_a_lost_answer_without_paying_twice(
    shop: Shop, sandbox: Sandbox, action: str
) -> None:
    impatient = Shop(sandbox, retries=5, timeout_s=1.0)
    impatient.account = shop.account
    sandbox.fault("POST", action, path="/v1/payment_intents", seconds=3)
    intent = await impatient.give()
    replayed = impatient.http.last_headers.get("Idempotent-Replayed")
    await impatient.close()
    assert (intent.status, replayed) == ("succeeded", "true")
    assert await count_intents(shop) == 1


async def test_key_length_is_bounded(shop: Shop) -> None:
    assert (await shop.give(key="k" * 255)).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.give(key="k" * 256)
    assert refused.value.http_status == 400


async def test_keys_are_forgotten_after_a_day_of_business_time(
    shop: Shop, sandbox: Sandbox
) -> None:
    first = await shop.give(key="k10")
    sandbox.control("POST", "clock", {"advance_s": DAY_S - 60})
    assert (await shop.give(key="k10")).id == first.id
    sandbox.control("POST", "clock", {"advance_s": 120})
    # A forgotten key makes a new payment, whatever the parameters are.
    assert (await shop.give(key="k10", amount=700)).id != first.id


async def test_order_of_parameters_does_not_matter(shop: Shop) -> None:
    first = await shop.give(key="k11")
    turned = dict(reversed(payment_parameters().items()))
    again = await shop.api.payment_intents.create_async(
        turned,  # type: ignore[arg-type]  # the same parameters in another order
        shop.on_account(idempotency_key="k11"),
    )
    assert again.id == first.id
