"""Ten histories through every process and engine: HTTP, webhooks, Kafka, PostgreSQL, all real.

Webhooks get lost, doubled and held, Stripe fails now and then; afterwards `amply reconcile` and the
recorded ledger agree with Stripe to the cent.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.acceptance.test_refund import amply
from tests.engines import LoopThread
from tests.histories.ledger import Entry, read_entries
from tests.platform import Running, platform_fixture, until

SEED = int(os.environ.get("AMPLY_SEED", "20261130"))
HISTORIES = 10
METHODS = (
    *("pm_card_visa", "pm_card_visa", "pm_card_bypassPending", "pm_card_bypassPending"),
    *("pm_card_chargeDeclined", "pm_card_createDispute", "pm_card_refundFail"),
)
FAULTS: tuple[dict[str, Any], ...] = (
    {"method": "WEBHOOK", "action": "drop", "probability": 0.15},
    {"method": "WEBHOOK", "action": "duplicate", "probability": 0.2},
    {"method": "WEBHOOK", "action": "reorder", "probability": 0.2, "seconds": 1.0},
    {"method": "POST", "action": "answer", "status": 409, "probability": 0.05},
    {"method": "GET", "action": "answer", "status": 503, "probability": 0.05},
    {"method": "POST", "action": "drop", "probability": 0.05},
)
SETTLED = {"recorded", "failed"}


@pytest.fixture(scope="module")
def running(engine_loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    quickly = {"AMPLY_RECONCILE_SWEEP_S": "3", "AMPLY_RECONCILE_PAUSE_S": "0.01"}
    overrides = {"reconciliation": quickly}
    yield from platform_fixture(
        engine_loop, tmp_path_factory.mktemp("histories"), overrides=overrides
    )


class Stripe:
    """The sandbox's process, as merchants and banks reach it."""

    def __init__(self, running: Running, account: str) -> None:
        self._url = running.settings["AMPLY_STRIPE"]
        self._headers = {"Authorization": f"Bearer {running.settings['AMPLY_STRIPE_KEY']}"}
        self.account = account

    async def ask(self, method: str, path: str, **given: Any) -> Any:
        headers = self._headers | (
            {"Stripe-Account": self.account} if path.startswith("/v1/") else {}
        )
        async with (
            aiohttp.ClientSession(self._url, headers=headers) as session,
            session.request(method, path, **given) as response,
        ):
            return await response.json()

    async def control(self, path: str, **given: Any) -> Any:
        return await self.ask("POST", f"/_sandbox/{path}", json=given)

    async def movements(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = {"limit": "100"}
        while True:
            page = await self.ask("GET", "/v1/balance_transactions", params=query)
            found += page["data"]
            if not page["has_more"]:
                return found
            query["starting_after"] = page["data"][-1]["id"]


async def live(running: Running, stripe: Stripe, dice: Random) -> list[str]:
    """Gifts, some of which go back in part, whole or by a bank's word; their ids."""
    gifts: list[str] = []
    async with running.edge() as edge:
        for _ in range(dice.randint(4, 8)):
            body = {
                "organization": running.settings["AMPLY_ORGANIZATION"],
                "amount_minor": dice.randint(500, 20_000),
                "currency": "USD",
                "payment_method": dice.choice(METHODS),
            }
            answer = await edge.donate(body, str(uuid4()))
            gifts.append(str(answer.donation["id"]))
    charges = await stripe.ask("GET", "/v1/charges", params={"limit": "20"})
    paid = [one for one in charges["data"] if one["status"] == "succeeded"]
    for charge in dice.sample(paid, min(3, len(paid))):
        if dice.random() < 0.7:
            amount = dice.randint(1, charge["amount"])
            await stripe.control(f"charges/{charge['id']}/refunds", amount=amount)
        else:
            made = await stripe.control(f"charges/{charge['id']}/dispute")
            await stripe.control(f"disputes/{made['id']}", status=dice.choice(("won", "lost")))
    await stripe.control(f"accounts/{stripe.account}/payouts", paid=True)
    return gifts


@pytest.mark.timeout(900)
async def test_ten_histories_on_all_engines_end_in_agreement(running: Running) -> None:
    print(f"AMPLY_SEED={SEED}")
    rows = await running.fetch(
        "SELECT a.organization, a.account FROM read.accounts a JOIN edge.organizations o"
        " ON o.id = a.organization WHERE o.slug = $1",
        running.settings["AMPLY_ORGANIZATION"],
    )
    organization, stripe = rows[0]["organization"], Stripe(running, rows[0]["account"])
    for fault in FAULTS:
        await stripe.control("faults", count=None, seed=SEED, **fault)
    gifts: list[str] = []
    for number in range(HISTORIES):
        gifts += await live(running, stripe, Random(f"{SEED}/{number}"))
    await stripe.ask("DELETE", "/_sandbox/faults")

    async def settled() -> bool:
        rows = await running.fetch(
            "SELECT status::text FROM donations.donations WHERE id = ANY ($1)", gifts
        )
        return len(rows) == len(gifts) and {row["status"] for row in rows} <= SETTLED

    await until(settled, what=f"{len(gifts)} gifts are settled", timeout_s=240, poll_s=1)

    async def agreed() -> bool:
        status, _ = await amply(running, "reconcile", "--json")
        return status == 0

    await until(agreed, what="reconciliation agrees", timeout_s=240, poll_s=1)
    await audit(running, stripe, organization)


async def audit(running: Running, stripe: Stripe, organization: str) -> None:
    """The recorded ledger, read entry by entry, is what Stripe says; nothing is set aside."""
    entries = await read_entries(running, [organization])
    assert _sum(entries, "Assets:Stripe") == sum(one["net"] for one in await stripe.movements())
    booked = Counter(
        entry.details["balance_transaction"]
        for entry in entries
        if "balance_transaction" in entry.details
    )
    assert booked == Counter(one["id"] for one in await stripe.movements())
    payouts = await stripe.ask("GET", "/v1/payouts", params={"limit": "100"})
    paid = sum(one["amount"] for one in payouts["data"] if one["status"] == "paid")
    assert _sum(entries, "Assets:Bank") == paid > 0
    assert {entry.kind for entry in entries} >= {"donation", "refund", "dispute_withdrawn"}
    rows = await running.fetch("SELECT worker, code, reason FROM messages.set_aside")
    assert [json.dumps(dict(row)) for row in rows if row["code"] != "behind"] == []


def _sum(entries: list[Entry], account: str) -> int:
    return sum(line.amount for one in entries for line in one.lines if line.account == account)
