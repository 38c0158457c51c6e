"""Refunds and disputes of gifts: the newest version counts, whatever order facts come in."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.disputes import DisputeChanged
from contracts.refunds import RefundChanged
from tests.workers.bench import Bench, message, new
from topics.registry import DISPUTES_CHANGED, REFUNDS_CHANGED
from workers.donations.worker import WORKER

NOW = datetime(2027, 3, 1, tzinfo=UTC)
REFUNDED: dict[str, Any] = {
    "status": "pending",
    "amount_minor": 1000,
    "currency": "EUR",
    "reason": None,
    "code": None,
    "stripe_refund": "re_1",
    "entry": None,
    "failure_entry": None,
    "created_at": NOW,
}
DISPUTED: dict[str, Any] = {
    "status": "needs_response",
    "reason": "fraudulent",
    "amount_minor": 2500,
    "withdrawn_minor": 2500,
    "currency": "EUR",
    "blocks_refunds": True,
    "is_return": False,
    "evidence_due_at": None,
    "stripe_dispute": "dp_1",
    "entries": (),
    "created_at": NOW,
}


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_ends_in_the_newest_version(bench: Bench, seed: int) -> None:
    print(f"seed {seed}")
    organization, _ = await bench.organization()
    donation, refund, dispute = new("don"), new("rfd"), new("dsp")
    entries = (new("ent"), new("ent"))
    refunds = [
        RefundChanged(
            refund=refund, donation=donation, version=version, **REFUNDED | {"status": status}
        )
        for version, status in enumerate(("pending", "succeeded", "failed"), 1)
    ]
    disputes = [
        DisputeChanged(
            dispute=dispute,
            donation=donation,
            version=version,
            **DISPUTED | {"status": status, "entries": entries[:version]},
        )
        for version, status in enumerate(("needs_response", "won"), 1)
    ]
    facts: list[Any] = [
        *[message(REFUNDS_CHANGED, organization, body) for body in refunds],
        *[message(DISPUTES_CHANGED, organization, body) for body in disputes],
    ] * 2
    random.Random(seed).shuffle(facts)
    for start in range(0, len(facts), 3):
        await bench.settle(WORKER, None, facts[start : start + 3])
    assert await bench.set_aside(WORKER) == []
    [kept] = await bench.fetch("SELECT * FROM donations.refunds WHERE donation = $1", donation)
    assert (kept["id"], kept["status"], kept["version"]) == (refund, "failed", 3)
    [kept] = await bench.fetch("SELECT * FROM donations.disputes WHERE donation = $1", donation)
    assert (kept["id"], kept["status"], kept["version"]) == (dispute, "won", 2)
    assert kept["entries"] == list(entries)
