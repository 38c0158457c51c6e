"""Events: one for each fact in any order and repetition, and positions in the order of commits."""

import asyncio
import random
from typing import Any

import asyncpg
import orjson
import pytest

from contracts.disputes import DisputeChanged
from contracts.donations import SealedDonor
from contracts.entries import EntryRecorded
from contracts.events import EVENT_TYPES, ResourceChanged
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from contracts.messages import MessageRefused
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from contracts.refunds import RefundChanged
from tests.workers.bench import START, Bench, event, gift, message, new
from topics import registry
from workers.events import decisions, store
from workers.events.decisions import Event
from workers.events.worker import WORKER

EVENTS = "SELECT position, id, type, subject, object FROM events.events WHERE organization = $1"
DONOR = {"name": "Ada Example", "email": "ada@example.org"}


def facts(organization: str, fund: str) -> list[Envelope[Any]]:
    """One of each kind, about two gifts of an organization."""
    donor = SealedDonor(profile=new("prof"), seal="ab" * 32, opening="b3BlbmluZw==")
    first, second = gift(organization, fund, donor=donor), gift(organization, fund)
    donation = first.body.donation
    said: list[tuple[Any, Any]] = [
        (
            registry.PAYMENTS_ACTION_REQUIRED,
            PaymentActionRequired(donation=donation, payment_intent="pi_1"),
        ),
        (
            registry.PAYMENTS_PROCESSING,
            PaymentProcessing(donation=donation, payment_intent="pi_1"),
        ),
        (
            registry.PAYMENTS_FAILED,
            PaymentFailed(
                donation=donation, amount_minor=2500, code="card_declined", decline_code="lost_card"
            ),
        ),
        (registry.PAYMENTS_CLOSED, PaymentClosed(donation=second.body.donation, reason="expired")),
        (registry.PAYMENTS_CAPTURED, captured(first.body)),
        (registry.ENTRIES_RECORDED, entry("donation", donation)),
        (registry.ENTRIES_RECORDED, entry("payout", "po_1")),
        (
            registry.RESOURCES_CHANGED,
            ResourceChanged(event="campaign.created", subject="camp_1", object={"id": "camp_1"}),
        ),
        *[(registry.REFUNDS_CHANGED, refund(donation, version)) for version in (1, 2, 3)],
        *[(registry.DISPUTES_CHANGED, dispute(donation, version)) for version in (1, 2)],
        (
            registry.MESSAGES_REFUSED,
            MessageRefused(
                worker="bookkeeping",
                topic="entries.requested.v1",
                message=random_id(START),
                code="foreign_fund",
                reason="it is another organization's",
            ),
        ),
    ]
    told = [message(topic, organization, body) for topic, body in said]
    stripe = event(organization, "acct_1", "account.updated", "acct_1")
    other = event(organization, "acct_1", "charge.succeeded", "ch_1")
    return [first, second, *told, stripe, other]


def captured(body: Any) -> PaymentCaptured:
    return PaymentCaptured(
        donation=body,
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
    )


def entry(kind: Any, subject: str) -> EntryRecorded:
    return EntryRecorded(
        entry_id=new("ent"),
        log=0,
        index=7,
        seq=3,
        kind=kind,
        leaf_hash="ab" * 32,
        entry="{}",
        subject=subject,
    )


REFUND, DISPUTE = new("rfd"), new("dsp")


def refund(donation: str, version: int) -> RefundChanged:
    return RefundChanged(
        refund=REFUND,
        donation=donation,
        version=version,
        status="pending" if version == 1 else "succeeded",
        amount_minor=500,
        currency="EUR",
        reason=None,
        code=None,
        stripe_refund="re_1",
        entry=None,
        failure_entry=None,
        created_at=START,
    )


def dispute(donation: str, version: int) -> DisputeChanged:
    return DisputeChanged(
        dispute=DISPUTE,
        donation=donation,
        version=version,
        status="needs_response" if version == 1 else "lost",
        reason="fraudulent",
        amount_minor=2500,
        withdrawn_minor=2500,
        currency="EUR",
        blocks_refunds=True,
        is_return=False,
        evidence_due_at=None,
        stripe_dispute="dp_1",
        entries=(),
        created_at=START,
    )


EXPECTED = sorted(
    [
        *("donation.created", "donation.created", "donation.requires_action"),
        *("donation.processing", "donation.failed", "donation.expired", "donation.completed"),
        *("entry.recorded", "entry.recorded", "payout.paid", "campaign.created"),
        *("refund.created", "refund.updated", "refund.updated", "donation.refunded"),
        *("dispute.created", "dispute.updated", "donation.disputed", "dispute.closed"),
        *("entry.refused", "account.updated"),
    ]
)


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_repetition_of_facts_makes_the_same_events(
    bench: Bench, seed: int
) -> None:
    organization, fund = await bench.organization()
    told = facts(organization, fund)
    shuffled = [*told, *told, *told]
    random.Random(seed).shuffle(shuffled)
    for start in range(0, len(shuffled), 7):
        await bench.settle(WORKER, None, shuffled[start : start + 7])
    rows = await bench.fetch(EVENTS, organization)
    assert sorted(row["type"] for row in rows) == EXPECTED
    assert set(EXPECTED) <= set(EVENT_TYPES)
    assert len({row["position"] for row in rows}) == len(rows)
    objects = [orjson.loads(row["object"]) for row in rows]
    assert all(value["id"] for value in objects)
    [last] = await bench.fetch(
        "SELECT last FROM events.positions WHERE organization = $1", organization
    )
    assert last["last"] >= max(row["position"] for row in rows)


async def test_no_event_tells_who_gave_or_how(bench: Bench) -> None:
    organization, fund = await bench.organization()
    await bench.settle(WORKER, None, facts(organization, fund))
    for row in await bench.fetch(EVENTS, organization):
        for word in ("prof_", "b3BlbmluZw", "pm_", "donor"):
            assert word not in row["object"]


async def test_refused_entry_is_kept_with_its_reason_and_told_to_who_waits(bench: Bench) -> None:
    organization, _ = await bench.organization()
    asked = random_id(START)
    body = MessageRefused(
        worker="bookkeeping",
        topic="entries.requested.v1",
        message=asked,
        code="second_currency",
        reason="it holds EUR only",
    )
    other = body.model_copy(update={"topic": "donations.requested.v1", "message": random_id(START)})
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(bench.role_dsn("edge"))
    try:
        await connection.add_listener("entries", lambda *told: heard.put_nowait(str(told[3])))
        refusals = [
            message(registry.MESSAGES_REFUSED, organization, each) for each in (body, other)
        ]
        await bench.settle(WORKER, None, refusals)
        async with asyncio.timeout(10):
            assert await heard.get() == type_id("ent", asked)
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.organizations', $1, true)", organization
            )
            rows = await connection.fetch("SELECT entry_id, code FROM read.refused_entries")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [(type_id("ent", asked), "second_currency")]


def happened(organization: str, name: str) -> Event:
    identifier = new("evt")
    return Event(identifier, organization, "campaign.updated", name, START, {"id": name})


async def scoped(dsn: str, organizations: str) -> Any:
    connection = await asyncpg.connect(dsn)
    await connection.execute("SELECT set_config('app.organizations', $1, false)", organizations)
    return connection


async def test_an_event_that_commits_late_is_never_behind_one_that_was_seen(bench: Bench) -> None:
    """Two transactions append to one organization and commit in the reverse order of their start.

    With a plain serial the second would be visible at 2 while the first is still open at 1, and a
    reader who went on from 2 would never see 1.
    """
    one, two = await bench.organization(), await bench.organization()
    organization, other = one[0], two[0]
    early, late, free, reader = [
        await scoped(bench.role_dsn(role), f"{organization},{other}")
        for role in ("events", "events", "events", "edge")
    ]
    positions = "SELECT position, subject FROM read.events WHERE organization = $1 ORDER BY 1"
    try:
        first, second = early.transaction(), late.transaction()
        await first.start()
        await second.start()
        await late.fetchval("SELECT 1")
        await store.append(early, [happened(organization, "early")])
        waiting = asyncio.create_task(store.append(late, [happened(organization, "late")]))
        await _blocked(bench, late)
        assert not waiting.done(), "the second appended past the first"
        # Nobody else waits for them.
        await store.append(free, [happened(other, "other")])
        assert [row["subject"] for row in await reader.fetch(positions, other)] == ["other"]
        assert await reader.fetch(positions, organization) == []
        await first.commit()
        await waiting
        seen = await reader.fetch(positions, organization)
        assert [tuple(row) for row in seen] == [(1, "early")]
        await second.commit()
        seen = await reader.fetch(positions, organization)
        assert [tuple(row) for row in seen] == [(1, "early"), (2, "late")]
    finally:
        for connection in (early, late, free, reader):
            await connection.close()


async def _blocked(bench: Bench, connection: Any) -> None:
    pid = connection.get_server_pid()
    async with asyncio.timeout(20):
        while True:
            [row] = await bench.fetch(
                "SELECT wait_event_type AS kind FROM pg_stat_activity WHERE pid = $1", pid
            )
            if row["kind"] == "Lock":
                return
            await asyncio.sleep(0.02)


async def test_a_transaction_that_was_rolled_back_leaves_no_hole(bench: Bench) -> None:
    organization, _ = await bench.organization()
    connection = await scoped(bench.role_dsn("events"), organization)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await store.append(connection, [happened(organization, "never")])
        await transaction.rollback()
        await store.append(connection, [happened(organization, "first")])
    finally:
        await connection.close()
    [row] = await bench.fetch(EVENTS, organization)
    assert (row["position"], row["subject"]) == (1, "first")


def test_unique_keeps_the_first_of_each_id_and_groups_by_organization() -> None:
    events = [happened("org_b", "1"), happened("org_a", "2"), happened("org_b", "3")]
    kept = decisions.unique([*events, events[0]])
    assert [(event.organization, event.subject) for event in kept] == [
        ("org_a", "2"),
        ("org_b", "1"),
        ("org_b", "3"),
    ]
