"""The state of gifts: whatever order and repetition facts come in, it ends the same."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from contracts.entries import EntryRecorded
from contracts.message import Envelope
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from tests.workers.bench import START, Bench, gift, message, new
from topics.registry import (
    ENTRIES_RECORDED,
    PAYMENTS_ACTION_REQUIRED,
    PAYMENTS_CAPTURED,
    PAYMENTS_CLOSED,
    PAYMENTS_FAILED,
    PAYMENTS_PROCESSING,
)
from workers.donations import decisions
from workers.donations.decisions import Status
from workers.donations.worker import WORKER

SEEDS = range(5)


def story(organization: str, fund: str) -> list[Envelope[Any]]:
    """A gift that was confirmed with the bank, failed, was tried again twice, and recorded."""
    promised = gift(organization, fund, time=START)
    donation = promised.body.donation
    facts: list[tuple[Any, Any]] = [
        (PAYMENTS_ACTION_REQUIRED, PaymentActionRequired(donation=donation, payment_intent="pi_1")),
        (PAYMENTS_PROCESSING, PaymentProcessing(donation=donation, payment_intent="pi_1")),
        (PAYMENTS_FAILED, failure(donation, 1, "lost_card")),
        (PAYMENTS_FAILED, failure(donation, 2, "expired_card")),
        (
            PAYMENTS_ACTION_REQUIRED,
            PaymentActionRequired(donation=donation, payment_intent="pi_1", attempt=3),
        ),
        (
            PAYMENTS_CAPTURED,
            PaymentCaptured(
                donation=promised.body,
                account="acct_1",
                payment_intent="pi_1",
                charge="ch_1",
                balance_transaction="txn_1",
                gross_minor=2500,
                fee_minor=63,
                platform_fee_minor=0,
                net_minor=2437,
                settlement_currency="EUR",
                captured_at=START,
            ),
        ),
        (
            ENTRIES_RECORDED,
            EntryRecorded(
                entry_id=new("ent"),
                log=0,
                index=7,
                seq=3,
                kind="donation",
                leaf_hash="ab" * 32,
                entry="{}",
                subject=donation,
            ),
        ),
    ]
    times = (START + timedelta(seconds=n) for n in range(1, 12))
    return [promised] + [
        message(topic, organization, body, time=time)
        for (topic, body), time in zip(facts, times, strict=False)
    ]


def failure(donation: str, attempt: int, decline_code: str) -> PaymentFailed:
    return PaymentFailed(
        donation=donation,
        amount_minor=2500,
        code="card_declined",
        decline_code=decline_code,
        attempt=attempt,
    )


async def row(bench: Bench, organization: str, donation: str) -> dict[str, Any]:
    rows = await bench.fetch(
        "SELECT *, status::text FROM donations.donations WHERE organization = $1 AND id = $2",
        organization,
        donation,
    )
    return rows[0]


async def test_each_fact_moves_the_gift_on(bench: Bench) -> None:
    organization, fund = await bench.organization()
    facts = story(organization, fund)
    donation = facts[0].body.donation
    expected = ["pending", "requires_action", "processing", "failed", "failed", "requires_action"]
    expected += ["captured", "recorded"]
    for fact, status in zip(facts, expected, strict=True):
        await bench.settle(WORKER, None, [fact])
        assert (await row(bench, organization, donation))["status"] == status
    stored = await row(bench, organization, donation)
    assert (stored["amount_minor"], stored["currency"], stored["fund"]) == (2500, "EUR", fund)
    assert (stored["entry_id"], stored["index"], stored["seq"], stored["log"]) == (
        facts[-1].body.entry_id,
        7,
        3,
        0,
    )
    assert stored["created_at"] == START
    assert stored["updated_at"] == facts[-1].time


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_and_repetition_ends_in_the_same_row(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    organization, fund = await bench.organization()
    facts = story(organization, fund)[: dice.randint(2, 8)]
    donation = facts[0].body.donation
    await bench.settle(WORKER, None, facts)
    expected = await row(bench, organization, donation)
    # The inbox would drop the copies: without it, every one of them is folded in again.
    await bench.fetch("DELETE FROM donations.donations WHERE id = $1", donation)
    shuffled = [replace(fact, id=message(ENTRIES_RECORDED, "", fact.body).id) for fact in facts * 3]
    dice.shuffle(shuffled)
    while shuffled:
        size = dice.randint(1, 4)
        await bench.settle(WORKER, None, shuffled[:size])
        del shuffled[:size]
    assert await row(bench, organization, donation) == expected, f"seed {seed}"


async def test_view_shows_own_gifts_once_their_request_is_known(bench: Bench) -> None:
    organization, fund = await bench.organization()
    facts = story(organization, fund)
    connection = await asyncpg.connect(bench.role_dsn("edge"))

    async def seen(scope: str) -> list[Any]:
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.organizations', $1, true)", scope)
            return await connection.fetch("SELECT * FROM read.donations")

    try:
        await bench.settle(WORKER, None, [facts[4]])
        assert await seen(organization) == []
        await bench.settle(WORKER, None, [facts[0]])
        [shown] = await seen(organization)
        assert (shown["status"], shown["failure_code"], shown["decline_code"]) == (
            "failed",
            "card_declined",
            "expired_card",
        )
        assert shown["attempt"] == 2
        await bench.settle(WORKER, None, [facts[3]])  # Late word of an earlier attempt.
        [shown] = await seen(organization)
        assert (shown["decline_code"], shown["attempt"]) == ("expired_card", 2)
        await bench.settle(WORKER, None, [facts[6]])
        [shown] = await seen(organization)
        assert (shown["status"], shown["failure_code"]) == ("captured", None)
        assert await seen(new("org")) == []
    finally:
        await connection.close()


@pytest.mark.parametrize("reason", ["canceled", "expired"])
@pytest.mark.parametrize("first", [True, False])
async def test_closed_gift_keeps_its_last_failure_and_stays_closed(
    bench: Bench, reason: Any, first: bool
) -> None:
    organization, fund = await bench.organization()
    facts = story(organization, fund)[:6]
    donation = facts[0].body.donation
    end = message(PAYMENTS_CLOSED, organization, PaymentClosed(donation=donation, reason=reason))
    await bench.settle(WORKER, None, [end, *facts] if first else [*facts, end])
    stored = await row(bench, organization, donation)
    assert (stored["status"], stored["decline_code"]) == (reason, "expired_card")


async def test_row_from_before_there_were_steps_folds_as_a_first_attempt(bench: Bench) -> None:
    organization, fund = await bench.organization()
    facts = story(organization, fund)
    donation = facts[0].body.donation
    await bench.settle(WORKER, None, facts[:4])
    await bench.fetch(
        "UPDATE donations.donations SET step = NULL, attempt = NULL, failed_attempt = NULL"
        " WHERE id = $1",
        donation,
    )
    await bench.settle(WORKER, None, [facts[2]])
    assert (await row(bench, organization, donation))["status"] == "failed"
    await bench.settle(WORKER, None, [facts[4]])
    stored = await row(bench, organization, donation)
    assert (stored["status"], stored["decline_code"]) == ("failed", "expired_card")
    await bench.settle(WORKER, None, [facts[5]])
    assert (await row(bench, organization, donation))["status"] == "requires_action"


async def test_who_waits_for_a_gift_is_woken(bench: Bench) -> None:
    organization, fund = await bench.organization()
    facts = story(organization, fund)
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(bench.role_dsn("edge"))
    try:
        await connection.add_listener("donations", lambda *told: heard.put_nowait(str(told[3])))
        await bench.settle(WORKER, None, facts[:1])
        async with asyncio.timeout(10):
            assert await heard.get() == facts[0].body.donation
    finally:
        await connection.close()


async def test_entries_of_other_kinds_change_nothing(bench: Bench) -> None:
    organization, fund = await bench.organization()
    entry = story(organization, fund)[-1].body
    others = [
        message(ENTRIES_RECORDED, organization, entry.model_copy(update=change))
        for change in ({"kind": "payout", "subject": "po_1"}, {"subject": None})
    ]
    await bench.settle(WORKER, None, others)
    assert (
        await bench.fetch("SELECT FROM donations.donations WHERE organization = $1", organization)
        == []
    )


async def test_one_batch_of_many_gifts_of_many_organizations(bench: Bench) -> None:
    facts = [
        fact
        for _ in range(3)
        for organization, fund in [await bench.organization()]
        for _ in range(40)
        for fact in story(organization, fund)
    ]
    before = await bench.fetch("SELECT count(*) AS n FROM donations.donations")
    await bench.settle(WORKER, None, facts)
    after = await bench.fetch("SELECT count(*) AS n FROM donations.donations")
    assert after[0]["n"] - before[0]["n"] == 120


def test_folding_is_sorted_and_keeps_the_highest_status() -> None:
    now = datetime.now(UTC)
    organization = new("org")
    said: list[tuple[str, Status]] = [("b", "captured"), ("a", "pending"), ("b", "failed")]
    changes = [
        decisions.Change(organization=organization, id=name, status=status, updated_at=now)
        for name, status in said
    ]
    folded = decisions.fold(changes)
    assert [(change.id, change.status) for change in folded] == [
        ("a", "pending"),
        ("b", "captured"),
    ]
