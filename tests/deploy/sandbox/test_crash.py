import asyncio
import random
import signal
from collections.abc import Callable

import stripe

from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop

GIFTS = 120
CLIENTS = 8
SEED = 31
SUCCEEDED = "payment_intent.succeeded"


async def give_until_answered(shop: Shop, number: int) -> str:
    """Pay with one key until Stripe answers, as a careful caller does."""
    while True:
        try:
            intent = await shop.give(key=f"gift-{number}", metadata={"gift": str(number)})
            return intent.id
        except stripe.APIConnectionError:
            await asyncio.sleep(0.02)
        except stripe.APIError as error:
            assert error.http_status == 409, error


async def test_kill_in_mid_traffic_loses_and_doubles_nothing(
    start_shop: Callable[..., tuple[Sandbox, Shop]], receiver: Receiver
) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    # A wide window between doing and committing: an answer given too early would be caught.
    sandbox, shop = start_shop("--retry-delay-s", "0.05", "--commit-delay-s", "0.03")
    await shop.open_account()
    await shop.endpoint(receiver.url, SUCCEEDED)
    numbers = iter(range(GIFTS))
    answered: dict[int, str] = {}
    progress = asyncio.Condition()

    async def client() -> None:
        for number in numbers:
            answered[number] = await give_until_answered(shop, number)
            async with progress:
                progress.notify_all()

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    for kill in range(3):
        target = (kill + 1) * GIFTS // 4 + dice.randrange(GIFTS // 8)
        async with progress:
            await progress.wait_for(lambda target=target: len(answered) >= target)  # type: ignore[misc]  # bound per round
        await asyncio.to_thread(sandbox.stop, signal.SIGKILL)
        await asyncio.to_thread(sandbox.start)
    await asyncio.gather(*clients)

    listed = await shop.api.payment_intents.list_async({"limit": 100}, shop.on_account())
    intents = {intent.metadata["gift"]: intent async for intent in listed.auto_paging_iter()}
    assert {number: intents[str(number)].id for number in answered} == answered
    assert len(answered) == len(intents) == GIFTS
    transactions = await shop.api.balance_transactions.list_async({"limit": 100}, shop.on_account())
    booked = [each.net async for each in transactions.auto_paging_iter()]
    balance = await shop.api.balance.retrieve_async(None, shop.on_account())
    assert len(booked) == GIFTS
    assert balance.pending[0].amount == sum(booked) == GIFTS * 4900

    def told(receiver: Receiver) -> set[str]:
        return {event["data"]["object"]["id"] for event in receiver.events}

    await receiver.wait(lambda receiver: told(receiver) == set(answered.values()))


async def test_restart_keeps_keys_endpoints_clock_and_what_is_undelivered(
    start_shop: Callable[..., tuple[Sandbox, Shop]], receiver: Receiver
) -> None:
    await receiver.stop()
    sandbox, shop = start_shop("--retry-delay-s", "0.05", "--retry-delay-s-max", "0.2")
    await shop.open_account()
    await shop.endpoint(receiver.url, SUCCEEDED, "charge.updated")
    sandbox.control("POST", "late_transactions", {"enabled": True, "delay_s": 1.0})
    offset = sandbox.control("POST", "clock", {"advance_s": 3600})["offset_s"]
    first = await shop.give(key="before")
    sandbox.stop(signal.SIGKILL)
    await receiver.start()
    sandbox.start()
    assert sandbox.control("POST", "clock", {})["offset_s"] == offset
    assert (await shop.give(key="before")).id == first.id
    await receiver.wait(lambda receiver: set(receiver.types()) == {SUCCEEDED, "charge.updated"})
