"""A campaign's gift and a booking, through every process, to events, transactions and sums."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.platform import Running, until


class Api:
    """The API of a running platform, with the demonstration's key."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._url = running.settings["AMPLY_URL"]
        self.path = f"/v1/organizations/{running.settings['AMPLY_ORGANIZATION']}"

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        where = path if path.startswith("/v1/") else f"{self.path}/{path}"
        headers = {"Idempotency-Key": secrets.token_hex(8)} if method == "POST" else {}
        async with self._session.request(
            method, self._url + where, json=body, headers=headers
        ) as response:
            value = await response.json()
            assert response.status < 300, value
            return value


@asynccontextmanager
async def api(running: Running) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {running.settings['AMPLY_API_KEY']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Api(running, session)


async def give_both_ways(amply: Api, running: Running, fund: str) -> tuple[Any, Any, Any]:
    """A campaign, a gift to it by card, and one in cash."""
    slug = f"run-{secrets.token_hex(4)}"
    opened = {"slug": slug, "name": "Run", "currency": "USD", "fund": fund, "status": "active"}
    campaign = await amply.ask("POST", "campaigns", opened)
    by_card = {
        "organization": running.settings["AMPLY_ORGANIZATION"],
        "amount_minor": 2500,
        "currency": "USD",
        "payment_method": "pm_card_visa",
        "campaign": campaign["id"],
    }
    in_cash = {
        "kind": "offline_donation",
        "fund": fund,
        "currency": "USD",
        "amount_minor": 700,
        "method": "cash",
        "campaign": campaign["id"],
    }
    gift = await amply.ask("POST", "/v1/donations", by_card)
    return campaign, gift, await amply.ask("POST", "bookings", in_cash)


async def test_a_campaigns_gift_and_a_booking_are_heard_told_and_summed_up(
    running: Running,
) -> None:
    async with api(running) as amply:
        cursor = (await amply.ask("GET", "/v1/events?cursor=latest"))["next_cursor"]
        fund = await amply.ask("POST", "funds", {"name": "Run", "currency": "USD"})
        campaign, gift, booking = await give_both_ways(amply, running, fund["id"])
        told: list[Any] = []

        async def heard() -> bool:
            nonlocal cursor
            page = await amply.ask("GET", f"/v1/events?cursor={cursor}&wait=5")
            cursor = page["next_cursor"]
            told.extend(page["data"])
            entries = {event["subject"] for event in told if event["type"] == "entry.recorded"}
            return len(entries & {*booking["entries"]}) == 1 and any(
                event["type"] == "donation.completed" and event["subject"] == gift["id"]
                for event in told
            )

        await until(heard, what="the gift and the booking are heard of")
        of_gift = [event["type"] for event in told if event["subject"] == gift["id"]]
        assert {"donation.created", "donation.completed"} <= set(of_gift)
        ours = {(event["type"], event["subject"]) for event in told}
        assert {("fund.created", fund["id"]), ("campaign.created", campaign["id"])} <= ours

        async def summed_up() -> Any:
            listed = await amply.ask("GET", f"funds/{fund['id']}/transactions")
            words = {(one["type"], one["amount_minor"]) for one in listed["data"]}
            return words if ("donation", 2500) in words and ("donation", 700) in words else None

        words = await until(summed_up, what="both are told as transactions")
        assert {word for word, _ in words} == {"donation", "fee"}
        [sums] = (await amply.ask("GET", f"campaigns/{campaign['id']}"))["sums"]
        assert (sums["raised_minor"], sums["gifts"]) == (3200, 2)
        assert (await amply.ask("GET", f"bookings/{booking['id']}"))["status"] == "recorded"
