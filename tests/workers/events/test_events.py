"""Events: one for each fact in any order and repetition, and positions in the order of commits."""

import asyncio
import random
from typing import Any

import asyncpg
import orjson
import pytest

from contracts.events import EVENT_TYPES
from contracts.identifiers import random_id, type_id
from contracts.messages import MessageRefused
from tests.workers.bench import START, Bench, message, new
from tests.workers.events.facts import OF_FACTS, facts
from topics import registry
from workers.events import decisions, store
from workers.events.decisions import Event
from workers.events.worker import WORKER

EVENTS = "SELECT position, id, type, subject, object FROM events.events WHERE organization = $1"
DONOR = {"name": "Ada Example", "email": "ada@example.org"}


EXPECTED = sorted([*OF_FACTS, "campaign.created"])


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
