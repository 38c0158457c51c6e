"""Gifts tried again, confirmed in a browser, debited, canceled: on the whole platform."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp

from tests.platform import Running, until

REST = ("amount_minor", "charge_amount_minor", "currency", "fund")


async def post(running: Running, path: str, **body: Any) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {running.settings['AMPLY_API_KEY']}",
        "Idempotency-Key": str(uuid4()),
    }
    async with (
        aiohttp.ClientSession(running.settings["AMPLY_URL"], headers=headers) as session,
        session.post(path, json=body) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert response.status == 202, answer
        return answer


async def give(running: Running, **body: Any) -> dict[str, Any]:
    organization = running.settings["AMPLY_ORGANIZATION"]
    gift = {"organization": organization, "amount_minor": 2500, "currency": "USD", **body}
    return await post(running, "/v1/donations", **gift)


async def becomes(
    running: Running, gift: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The gift once it is as wanted."""
    shown: dict[str, Any] = {}

    async def is_wanted() -> bool:
        async with running.edge() as edge:
            shown.update(await edge.donation(gift["id"]))
        return wanted(shown)

    await until(is_wanted, what=f"{gift['id']} is as wanted")
    return shown


async def in_browser(running: Running, action: dict[str, Any], method: str) -> None:
    """What Stripe.js does with a `next_action`."""
    intent = action["client_secret"].partition("_secret_")[0]
    headers = {
        "Authorization": f"Bearer {action['publishable_key']}",
        "Stripe-Account": action["account"],
    }
    data = {
        "payment_method": method,
        "client_secret": action["client_secret"],
        "return_url": "https://example.org/thanks",
    }
    async with (
        aiohttp.ClientSession(running.settings["AMPLY_STRIPE"], headers=headers) as session,
        session.post(f"/v1/payment_intents/{intent}/confirm", data=data) as response,
    ):
        assert response.status == 200, await response.text()


async def test_declined_gift_is_tried_again_and_recorded_once(running: Running) -> None:
    gift = await give(running, payment_method="pm_card_chargeDeclined")
    failed = await becomes(running, gift, lambda shown: shown["status"] == "failed")
    assert (failed["attempt"], failed["failure"]["code"]) == (1, "card_declined")
    again = await post(
        running, f"/v1/donations/{gift['id']}/attempts", payment_method="pm_card_visa"
    )
    assert (again["status"], again["attempt"]) == ("pending", 2)
    recorded = await becomes(running, gift, lambda shown: shown["status"] == "recorded")
    assert (recorded["attempt"], recorded["failure"]) == (2, None)
    assert {name: recorded[name] for name in REST} == {name: gift[name] for name in REST}
    entries = await running.fetch("SELECT FROM read.entries WHERE subject = $1", gift["id"])
    assert len(entries) == 1


async def test_gift_is_confirmed_in_the_donors_browser(running: Running) -> None:
    gift = await give(running)
    waits = await becomes(running, gift, lambda shown: shown["next_action"] is not None)
    assert waits["status"] == "requires_action"
    await in_browser(running, waits["next_action"], "pm_card_visa")
    recorded = await becomes(running, gift, lambda shown: shown["status"] == "recorded")
    assert recorded["next_action"] is None


async def test_debit_is_processing_until_the_bank_has_answered(running: Running) -> None:
    gift = await give(running, currency="EUR")
    waits = await becomes(running, gift, lambda shown: shown["next_action"] is not None)
    await in_browser(running, waits["next_action"], "pm_successDelayed_de")
    await becomes(running, gift, lambda shown: shown["status"] == "processing")


async def test_canceled_gift_is_closed_for_good(running: Running) -> None:
    gift = await give(running)
    await becomes(running, gift, lambda shown: shown["status"] == "requires_action")
    await post(running, f"/v1/donations/{gift['id']}/cancel")
    closed = await becomes(running, gift, lambda shown: shown["status"] == "canceled")
    assert (closed["next_action"], closed["entry"]) == (None, None)
