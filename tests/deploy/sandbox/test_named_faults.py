"""Faults by the names that people say: what each does, how often, by API and by command."""

import subprocess
from typing import Any

import pytest
import stripe

from deploy.sandbox.named_faults import NAMED, row_of
from deploy.sandbox.scenarios.playing import open_account, play
from deploy.sandbox.scenarios.reaching import open_client
from deploy.sandbox.scenarios.story import DirectGiver
from tests.deploy.sandbox.harness import KEY, ROOT, Receiver, Sandbox, Shop
from tests.deploy.sandbox.test_product import AMPLY, ENVIRONMENT

DAY_S = 86_400


def named(sandbox: Sandbox, name: str, **given: Any) -> Any:
    row = sandbox.control("POST", "faults", {"name": name, **given})
    assert "error" not in row, row
    return row


async def intents(shop: Shop) -> list[stripe.PaymentIntent]:
    return (await shop.api.payment_intents.list_async({}, shop.on_account())).data


async def paid_events(shop: Shop, **query: Any) -> list[str]:
    """Newest first."""
    asked: Any = {"type": "payment_intent.succeeded", **query}
    listed = await shop.api.events.list_async(asked, shop.on_account())
    return [event.id for event in listed.data]


async def test_a_lost_webhook_never_comes_and_stays_listed(
    sandbox: Sandbox, shop: Shop, receiver: Receiver
) -> None:
    await shop.endpoint(receiver.url, "payment_intent.succeeded")
    named(sandbox, "webhooks-lost")
    await shop.give()
    await shop.give()
    await receiver.wait_for(1)
    first, second = reversed(await paid_events(shop))
    [arrived] = receiver.events
    assert arrived["id"] == second
    assert first in await paid_events(shop, delivery_success=False)


async def test_a_duplicated_webhook_comes_twice(
    sandbox: Sandbox, shop: Shop, receiver: Receiver
) -> None:
    await shop.endpoint(receiver.url, "payment_intent.succeeded")
    named(sandbox, "webhooks-duplicated")
    await shop.give()
    await receiver.wait_for(2)
    first, second = receiver.events
    assert first["id"] == second["id"]


@pytest.mark.parametrize("name", ["webhooks-delayed", "webhooks-reordered"])
async def test_a_webhook_that_is_held_is_overtaken_and_comes(
    name: str, sandbox: Sandbox, shop: Shop, receiver: Receiver
) -> None:
    await shop.endpoint(receiver.url, "payment_intent.succeeded")
    named(sandbox, name, seconds=2.0, seed=1)
    held, next_one = await shop.give(), await shop.give()
    await receiver.wait_for(2)
    assert [event["data"]["object"]["id"] for event in receiver.events] == [next_one.id, held.id]


@pytest.mark.parametrize(
    ("name", "status"), [("conflict", 409), ("rate-limited", 429), ("server-error", 500)]
)
async def test_a_refusal_does_nothing_and_ends_after_so_many_times(
    name: str, status: int, sandbox: Sandbox, shop: Shop
) -> None:
    named(sandbox, name, times=2)
    for _ in range(2):
        with pytest.raises(stripe.StripeError):
            await shop.give()
        assert shop.http.last_status == status
    assert (await shop.give()).status == "succeeded"
    assert len(await intents(shop)) == 1


@pytest.mark.parametrize(
    ("name", "given"), [("timeout-after-success", {"seconds": 3.0}), ("connection-lost", {})]
)
async def test_an_answer_that_is_lost_leaves_the_work_done(
    name: str, given: dict[str, Any], sandbox: Sandbox, shop: Shop
) -> None:
    hasty = Shop(sandbox, timeout_s=1.0)
    hasty.account = shop.account
    named(sandbox, name, **given)
    with pytest.raises(stripe.APIConnectionError):
        await hasty.give(key="one gift")
    again = await hasty.give(key="one gift")
    await hasty.close()
    assert [intent.id for intent in await intents(shop)] == [again.id]


async def test_a_late_balance_transaction_comes_with_an_event(
    sandbox: Sandbox, shop: Shop, receiver: Receiver
) -> None:
    await shop.endpoint(receiver.url, "charge.updated")
    named(sandbox, "balance-transaction-late", seconds=0.2)
    intent = await shop.give(expand=["latest_charge"])
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.balance_transaction is None
    await receiver.wait_for(1)
    assert receiver.events[0]["data"]["object"]["balance_transaction"].startswith("txn_")
    at_once = await shop.give(expand=["latest_charge"])
    assert isinstance(at_once.latest_charge, stripe.Charge)
    assert at_once.latest_charge.balance_transaction is not None


async def test_a_payout_that_was_paid_fails_a_day_later(sandbox: Sandbox, shop: Shop) -> None:
    await shop.give("pm_card_bypassPending")
    named(sandbox, "payout-paid-then-failed")
    [paid] = sandbox.control("POST", f"accounts/{shop.account}/payouts", {"paid": True})["payouts"]
    assert paid["status"] == "paid"
    sandbox.control("POST", "clock", {"advance_s": DAY_S})
    failed = await shop.api.payouts.retrieve_async(paid["id"], None, shop.on_account())
    assert failed.status == "failed"
    assert failed.failure_balance_transaction is not None


async def test_a_rate_strikes_by_chance_until_it_is_cleared(sandbox: Sandbox, shop: Shop) -> None:
    named(sandbox, "rate-limited", rate=0.5, seed=4)
    struck = 0
    for _ in range(20):
        try:
            await intents(shop)
        except stripe.RateLimitError:
            struck += 1
    assert 4 < struck < 16
    sandbox.control("DELETE", "faults")
    assert await intents(shop) == []


async def test_a_story_is_told_whatever_goes_wrong_for_others(sandbox: Sandbox, shop: Shop) -> None:
    named(sandbox, "server-error", rate=1.0)
    async with open_client(sandbox.url, KEY) as stripe_:
        account = await open_account(stripe_)
        told = await play(stripe_, DirectGiver(stripe_), account, "donation-refunded", 1)
    assert [entry.kind for entry in told.entries] == ["donation", "refund"]
    with pytest.raises(stripe.APIError):
        await intents(shop)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": "gremlins"}, "webhooks-lost"),
        ({"name": "conflict", "often": 3}, "often"),
        ({"name": "conflict", "seconds": 3}, "takes no time"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_is(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        row_of(given)


@pytest.mark.parametrize(
    ("given", "count", "probability"),
    [
        ({}, 1, 1.0),
        ({"times": 3}, 3, 1.0),
        ({"rate": 0.1}, None, 0.1),
        ({"rate": 0.1, "times": 3}, 3, 0.1),
    ],
)
def test_how_often_a_fault_strikes(
    given: dict[str, Any], count: int | None, probability: float
) -> None:
    row = {"count": 1, "probability": 1.0} | row_of({"name": "conflict", **given})
    assert (row["count"], row["probability"]) == (count, probability)


def test_the_command_sets_lists_and_clears_faults(sandbox: Sandbox) -> None:
    def amply(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*AMPLY, *arguments, "--url", sandbox.url],
            cwd=ROOT,
            env=ENVIRONMENT | {"AMPLY_STRIPE_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    once = "webhooks-lost: 1 times\n"
    often = "rate-limited: 10% of the time, until cleared\n"
    assert amply("fault", "webhooks-lost") == (0, once, "")
    assert amply("fault", "rate-limited", "--rate", "0.1") == (0, often, "")
    assert amply("faults") == (0, once + often, "")
    assert amply("faults", "--clear") == (0, "2 cleared\n", "")
    assert amply("faults") == (0, "", "")
    status, _, said = amply("fault", "gremlins")
    assert status == 1
    assert all(name in said.replace("\n", " ") for name in NAMED)
