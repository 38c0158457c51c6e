"""The gateway at a Stripe that fails, refuses or hangs: what it keeps up, and for whom."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

from tests.workers.conftest import Sandbox
from workers.gateways.stripe_gateway import StripeGateway, open_stripe
from workers.gateways.stripe_limits import AT_ONCE, FAILURES_MAX
from workers.gateways.stripe_objects import Intent
from workers.runtime.worker import Away, Transient


async def look(gateway: StripeGateway, account: str) -> Any:
    return await gateway.ask("get", "/v1/balance", account)


@pytest.fixture
async def gateway(sandbox: Sandbox) -> AsyncIterator[StripeGateway]:
    settings = {**sandbox.settings, "AMPLY_STRIPE_TIMEOUT_S": "5"}
    async with open_stripe(settings, "payments") as opened:
        yield opened
    await sandbox.ask("DELETE", "/_sandbox/faults")


async def test_a_stripe_that_keeps_failing_is_left_alone_but_not_for_other_accounts(
    sandbox: Sandbox, gateway: StripeGateway
) -> None:
    failing, other = await sandbox.account(), await sandbox.account()
    await sandbox.control(
        "faults", method="GET", path="/v1/balance", action="answer", status=503, count=FAILURES_MAX
    )
    for _ in range(FAILURES_MAX):
        with pytest.raises(Transient, match="503"):
            await look(gateway, failing)
    with pytest.raises(Away):
        await look(gateway, failing)
    assert (await look(gateway, other))["object"] == "balance"


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_answers_that_say_no_are_no_failures(
    sandbox: Sandbox, gateway: StripeGateway, status: int
) -> None:
    account = await sandbox.account()
    await sandbox.control(
        "faults", method="GET", path="/v1/balance", action="answer", status=status, count=12
    )
    for _ in range(12):
        with pytest.raises((Transient, stripe.InvalidRequestError, stripe.APIError)) as caught:
            await look(gateway, account)
        assert not isinstance(caught.value, Away)
    assert (await look(gateway, account))["object"] == "balance"


async def test_a_429_makes_the_account_wait_and_not_fail(
    sandbox: Sandbox, gateway: StripeGateway
) -> None:
    account = await sandbox.account()
    await sandbox.control("faults", method="GET", path="/v1/balance", action="answer", status=429)
    with pytest.raises(Transient, match="429"):
        await look(gateway, account)
    waiting = asyncio.create_task(look(gateway, account))
    assert (await look(gateway, await sandbox.account()))["object"] == "balance"
    assert (await waiting)["object"] == "balance"


async def test_an_account_that_hangs_leaves_the_connections_to_the_others(
    sandbox: Sandbox, gateway: StripeGateway
) -> None:
    slow, quick = await sandbox.account(), await sandbox.account()
    await sandbox.control(
        "faults", method="GET", path="/v1/balance_tr", action="hang", seconds=60, count=None
    )
    hanging = [
        asyncio.create_task(gateway.ask("get", "/v1/balance_transactions", slow))
        for _ in range(100)
    ]
    await asyncio.sleep(0)
    assert (await look(gateway, quick))["object"] == "balance"
    assert not any(task.done() for task in hanging), "each of them had a call under way, or waited"
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_calls_without_an_answer_end_by_their_deadline_and_open_the_account(
    sandbox: Sandbox,
) -> None:
    account = await sandbox.account()
    await sandbox.control(
        "faults", method="GET", path="/v1/balance", action="hang", seconds=60, count=None
    )
    settings = {**sandbox.settings, "AMPLY_STRIPE_TIMEOUT_S": "0.2"}
    async with open_stripe(settings, "payments") as gateway:
        asked = [look(gateway, account) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, Transient) for answer in answers)
        with pytest.raises(Away):
            await look(gateway, account)
    await sandbox.ask("DELETE", "/_sandbox/faults")


async def test_a_capture_overtakes_a_sweep_at_stripe(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, order = await sandbox.account(), list[str]()
    request = stripe.StripeClient.raw_request_async

    async def noting(client: Any, method: str, path: str, **how: Any) -> Any:
        order.append(path)
        return await request(client, method, path, **how)

    monkeypatch.setattr(stripe.StripeClient, "raw_request_async", noting)
    settings = {**sandbox.settings, "AMPLY_STRIPE_CALLS_PER_S": "5"}
    settings["AMPLY_STRIPE_SHARE_PERCENT"] = "100"
    async with open_stripe(settings, "payments") as gateway:
        sweep = [asyncio.create_task(look(gateway.patient(), account)) for _ in range(5)]
        await asyncio.sleep(0)
        intent = await gateway.create_intent(
            account,
            donation="don_1",
            organization="org_1",
            amount_minor=500,
            currency="EUR",
            payment_method="pm_card_visa",
            attempt=1,
        )
        await asyncio.gather(*sweep)
    assert isinstance(intent, Intent)
    assert order == ["/v1/balance", "/v1/payment_intents", *["/v1/balance"] * 4]
