import asyncio
import time
from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import API_VERSION, Receiver, Sandbox, Shop, check_body

SUCCEEDED = "payment_intent.succeeded"


async def delivered(sandbox: Sandbox, state: str, count: int) -> None:
    """Return when `count` deliveries are in `state`."""
    deadline = time.monotonic() + 20
    while sandbox.control("GET", "deliveries")["counts"].get(state, 0) < count:
        assert time.monotonic() < deadline, sandbox.control("GET", "deliveries")["counts"]
        await asyncio.sleep(0.02)


def counted(sandbox: Sandbox, state: str) -> int:
    counts: dict[str, int] = sandbox.control("GET", "deliveries")["counts"]
    return counts.get(state, 0)


async def test_event_is_signed_named_and_valid(shop: Shop, receiver: Receiver) -> None:
    endpoint = await shop.endpoint(receiver.url, SUCCEEDED)
    assert endpoint.secret is not None
    assert endpoint.secret.startswith("whsec_")
    intent = await shop.give()
    await receiver.wait_for(1)
    header, raw = receiver.received[0]
    assert stripe.WebhookSignature.verify_header(raw, header, endpoint.secret, tolerance=300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(raw + b" ", header, endpoint.secret, tolerance=300)
    event = receiver.events[0]
    check_body(event)
    assert event["type"] == SUCCEEDED
    assert event["account"] == shop.account
    assert event["api_version"] == API_VERSION
    assert event["livemode"] is False
    assert event["data"]["object"]["id"] == intent.id
    assert event["data"]["object"]["status"] == "succeeded"
    stored = await shop.api.events.retrieve_async(event["id"], None, shop.on_account())
    assert stored.type == SUCCEEDED


async def test_only_enabled_types_of_the_right_origin_are_sent(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.endpoint(receiver.url, SUCCEEDED, "payment_intent.payment_failed")
    # An endpoint of the platform itself gets no events of connected accounts.
    await shop.endpoint(receiver.url, "*", connect=False)
    with pytest.raises(stripe.CardError):
        await shop.give("pm_card_chargeDeclined")
    await shop.give(application_fee_amount=1)
    await receiver.wait_for(3)
    expected = ["application_fee.created", "payment_intent.payment_failed", SUCCEEDED]
    assert sorted(receiver.types()) == expected
    platform = [event for event in receiver.events if "account" not in event]
    assert [event["type"] for event in platform] == ["application_fee.created"]


async def test_endpoints_are_listed_changed_and_deleted(shop: Shop, receiver: Receiver) -> None:
    endpoint = await shop.endpoint(receiver.url, "payout.paid")
    listed = await shop.api.webhook_endpoints.list_async()
    assert [(each.id, "secret" in each) for each in listed.data] == [(endpoint.id, False)]
    types: Any = {"enabled_events": [SUCCEEDED]}
    await shop.api.webhook_endpoints.update_async(endpoint.id, types)
    await shop.give()
    await receiver.wait_for(1)
    await shop.api.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
    await shop.give()
    deleted = await shop.api.webhook_endpoints.delete_async(endpoint.id)
    assert deleted.deleted
    assert receiver.types() == [SUCCEEDED]


@pytest.mark.parametrize("down", ["refusing", "failing"])
async def test_nothing_is_missed_while_the_receiver_is_down(
    shop: Shop, receiver: Receiver, sandbox: Sandbox, down: str
) -> None:
    if down == "refusing":
        await receiver.stop()
    else:
        receiver.status = 503
    await shop.endpoint(receiver.url, SUCCEEDED)
    intents = {(await shop.give()).id for _ in range(5)}
    waiting = await shop.api.events.list_async(
        {"delivery_success": False, "type": SUCCEEDED}, shop.on_account()
    )
    assert {event.data.object["id"] for event in waiting.data} == intents
    assert {event.pending_webhooks for event in waiting.data} == {1}
    before = counted(sandbox, "delivered")
    if down == "refusing":
        await receiver.start()
    receiver.status = 200
    await receiver.wait_for(5)
    assert {event["data"]["object"]["id"] for event in receiver.events} == intents
    await delivered(sandbox, "delivered", before + 5)
    done = await shop.api.events.list_async(
        {"delivery_success": False, "type": SUCCEEDED}, shop.on_account()
    )
    assert not done.data


async def test_paused_deliveries_wait(shop: Shop, receiver: Receiver, sandbox: Sandbox) -> None:
    await shop.endpoint(receiver.url, SUCCEEDED)
    sandbox.control("POST", "deliveries/pause")
    for _ in range(3):
        await shop.give()
    state = sandbox.control("GET", "deliveries")
    assert state["paused"]
    assert state["counts"]["pending"] == 3
    assert receiver.received == []
    sandbox.control("POST", "deliveries/resume")
    await receiver.wait_for(3)


async def test_duplicated_lost_and_late_deliveries(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, SUCCEEDED)
    delivered_before = counted(sandbox, "delivered")
    sandbox.fault("WEBHOOK", "duplicate", path="payment_intent.", count=1)
    twice = await shop.give()
    await receiver.wait_for(2)
    lost_before = counted(sandbox, "lost")
    sandbox.fault("WEBHOOK", "drop", count=1)
    await shop.give()
    await delivered(sandbox, "lost", lost_before + 1)
    sandbox.fault("WEBHOOK", "delay", seconds=0.5, count=1)
    late = await shop.give()
    prompt = await shop.give()
    await receiver.wait_for(4)
    ids = [event["data"]["object"]["id"] for event in receiver.events]
    assert ids == [twice.id, twice.id, prompt.id, late.id]
    await delivered(sandbox, "delivered", delivered_before + 3)
    lost = await shop.api.events.list_async(
        {"delivery_success": False, "type": SUCCEEDED}, shop.on_account()
    )
    assert len(lost.data) == 1


async def test_reordering_is_seeded(shop: Shop, receiver: Receiver, sandbox: Sandbox) -> None:
    await shop.endpoint(receiver.url, SUCCEEDED)
    sandbox.fault("WEBHOOK", "reorder", seconds=1.0, count=None, seed=7)
    sent = [(await shop.give()).id for _ in range(8)]
    await receiver.wait_for(8)
    received = [event["data"]["object"]["id"] for event in receiver.events]
    assert sorted(received) == sorted(sent)
    assert received != sent


async def test_late_transaction_with_a_delay_comes_by_itself(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, "charge.succeeded", "charge.updated")
    sandbox.control("POST", "late_transactions", {"enabled": True, "delay_s": 0.1})
    await shop.give()
    await receiver.wait_for(2)
    first: dict[str, Any] = receiver.events[0]["data"]["object"]
    second: dict[str, Any] = receiver.events[1]["data"]["object"]
    assert first["balance_transaction"] is None
    assert second["balance_transaction"].startswith("txn_")
