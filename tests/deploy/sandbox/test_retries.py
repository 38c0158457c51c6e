"""Webhook retries on the clock, rolled secrets, events sent again."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from deploy.sandbox.deliveries import SCHEDULES_S, DeliverySettings
from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop

SUCCEEDED = "payment_intent.succeeded"
DAY_S = 86_400


def tries(settings: DeliverySettings) -> list[float]:
    """When a delivery due at 0 is tried again, the clock always exactly there."""
    moments: list[float] = []
    due: float | None = 0.0
    while (due := settings.next_due(len(moments) + 1, due or 0.0, due or 0.0)) is not None:
        moments.append(due)
    return moments


def test_a_sandbox_retries_three_times_over_hours_and_live_within_three_days() -> None:
    assert len(tries(DeliverySettings(schedule_s=SCHEDULES_S["sandbox"]))) == 3
    live = tries(DeliverySettings(schedule_s=SCHEDULES_S["live"]))
    assert 2 * DAY_S < live[-1] <= 3 * DAY_S
    waits = [after - before for before, after in zip([0.0, *live], live, strict=False)]
    assert waits == sorted(waits)


def test_back_off_counts_from_the_failure_and_ends() -> None:
    settings = DeliverySettings(retry_delay_s=1, retry_delay_s_max=4, attempts_max=5)
    assert tries(settings) == [1, 3, 7, 11]
    assert settings.next_due(1, 0.0, 1000.0) == 1001


async def attempts(sandbox: Sandbox, count: int) -> dict[str, Any]:
    """The newest delivery once it was tried so often."""
    deadline = time.monotonic() + 20
    while True:
        newest: dict[str, Any] = sandbox.control("GET", "deliveries")["newest"][0]
        if newest["attempts"] >= count:
            return newest
        assert time.monotonic() < deadline, newest
        await asyncio.sleep(0.02)


async def test_retries_follow_the_clock_and_a_lost_event_is_sent_again(
    start_shop: Callable[..., tuple[Sandbox, Shop]], receiver: Receiver
) -> None:
    sandbox, shop = start_shop("--retries", "sandbox")
    await shop.open_account()
    endpoint = await shop.endpoint(receiver.url, SUCCEEDED)
    receiver.status = 503
    intent = await shop.give()
    assert (await attempts(sandbox, 1))["state"] == "pending"
    sandbox.control("POST", "clock", {"advance_s": 601})
    assert (await attempts(sandbox, 2))["state"] == "pending"
    sandbox.stop()
    sandbox.start()
    sandbox.control("POST", "clock", {"advance_s": DAY_S})
    given_up = await attempts(sandbox, 4)
    assert (given_up["state"], given_up["attempts"]) == ("failed", 4)
    receiver.status = 200
    missed: Any = {"delivery_success": False, "types": [SUCCEEDED, "charge.succeeded"]}
    [event] = (await shop.api.events.list_async(missed, shop.on_account())).data
    sent = sandbox.control("POST", f"events/{event.id}/resend")
    assert sent["endpoints"] == [endpoint.id]
    await receiver.wait_for(1)
    assert receiver.events[0]["data"]["object"]["id"] == intent.id
    assert sandbox.control("POST", "events/evt_none/resend")["status"] == 404


async def test_two_secrets_sign_while_the_rolled_one_lasts(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    endpoint = await shop.endpoint(receiver.url, SUCCEEDED)
    path = f"webhook_endpoints/{endpoint.id}/roll"
    rolled = sandbox.control("POST", path, {"expire_previous_in_s": 3600})
    assert rolled["secret"] != endpoint.secret
    await shop.give()
    await receiver.wait_for(1)
    header, raw = receiver.received[0]
    for secret in (endpoint.secret, rolled["secret"]):
        assert stripe.WebhookSignature.verify_header(raw, header, secret or "", tolerance=300)
    sandbox.control("POST", "clock", {"advance_s": 3601})
    await shop.give()
    await receiver.wait_for(2)
    header, raw = receiver.received[1]
    assert stripe.WebhookSignature.verify_header(raw, header, rolled["secret"], tolerance=300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(raw, header, endpoint.secret or "", tolerance=300)
    assert sandbox.control("POST", path, {"expire_previous_in_s": DAY_S + 1})["status"] == 400


async def test_several_endpoints_have_their_own_secrets(shop: Shop, receiver: Receiver) -> None:
    endpoints = [await shop.endpoint(receiver.url, SUCCEEDED) for _ in range(2)]
    await shop.give()
    await receiver.wait_for(2)
    signed = {header.split("v1=")[1] for header, _ in receiver.received}
    assert len(signed) == len({endpoint.secret for endpoint in endpoints}) == 2


async def test_events_are_filtered_by_time(shop: Shop, sandbox: Sandbox) -> None:
    await shop.give()
    before = (await shop.api.events.list_async({"limit": 1}, shop.on_account())).data[0]
    sandbox.control("POST", "clock", {"advance_s": 3600})
    await shop.give()
    newer: Any = {"created": {"gt": before.created}, "type": SUCCEEDED}
    assert len((await shop.api.events.list_async(newer, shop.on_account())).data) == 1
    older: Any = {"created": {"lte": before.created}, "type": SUCCEEDED}
    assert len((await shop.api.events.list_async(older, shop.on_account())).data) == 1


async def test_a_clock_moved_by_months_loses_no_webhook(
    start_shop: Callable[..., tuple[Sandbox, Shop]], receiver: Receiver
) -> None:
    sandbox, shop = start_shop()
    await shop.open_account()
    await shop.endpoint(receiver.url, "payment_intent.succeeded")
    sandbox.control("POST", "deliveries/pause")
    intent = await shop.give()
    sandbox.control("POST", "clock", {"advance_s": 121 * 86_400})
    sandbox.control("POST", "deliveries/resume")
    await receiver.wait_for(1)
    assert receiver.events[0]["data"]["object"]["id"] == intent.id
