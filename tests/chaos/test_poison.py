"""Poison on every topic is set aside with its reason, and everybody else's messages go on."""

from datetime import UTC, datetime
from importlib import import_module
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from contracts.entries import EntryRequested, PostingRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from tests.checks import Before, assert_ledger_holds_exactly
from tests.platform import Running, all_recorded, give, until
from topics.codec import decode, encode
from topics.registry import ENTRIES_REQUESTED, TOPICS
from workers.__main__ import WORKERS


def readers() -> dict[str, set[str]]:
    """Topic -> the workers that read it."""
    found: dict[str, set[str]] = {ENTRIES_REQUESTED.name: {"bookkeeping"}}
    for name, module in WORKERS.items():
        for route in import_module(module).WORKER.routes:
            found.setdefault(route.topic.name, set()).add(name)
    return found


READERS = readers()
POISON: dict[str, tuple[list[tuple[str, bytes]] | None, bytes]] = {
    "no headers": ([], b"0"),
    "not JSON": (None, b"\xff\xfe{"),
    "another shape": (None, b'{"amount": 1.5}'),
    "empty": (None, b""),
}


async def send(running: Running, topic: str, key: bytes, value: bytes, headers: object) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=running.settings["AMPLY_KAFKA"])
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, headers=headers)
    finally:
        await producer.stop()


@pytest.mark.parametrize("topic", sorted(READERS))
async def test_an_undecodable_message_is_a_dead_letter_and_the_rest_goes_on(
    running: Running, topic: str
) -> None:
    before = await running.fetch("SELECT coalesce(max(position), 0) AS n FROM messages.set_aside")
    plausible = [
        ("ce_id", str(random_id(datetime.now(UTC))).encode()),
        ("ce_type", topic.encode()),
        ("ce_time", b"2026-11-25T00:00:00Z"),
        ("ce_organization", b"org_00000000000000000000000000"),
    ]
    for headers, value in POISON.values():
        await send(running, topic, b"poison", value, plausible if headers is None else headers)

    async def set_aside() -> bool:
        rows = await running.fetch(
            "SELECT worker, count(*) AS n, bool_and(reason <> '') AS explained"
            " FROM messages.set_aside WHERE position > $1 AND topic = $2"
            " AND disposition = 'dead' GROUP BY worker",
            before[0]["n"],
            topic,
        )
        found = {row["worker"]: row["n"] for row in rows if row["explained"]}
        return found == dict.fromkeys(READERS[topic], len(POISON))

    await until(set_aside, what=f"the poison of {topic} is set aside by {READERS[topic]}")
    donations = await give(running, 5, prefix=f"after-poison-{topic}")
    await all_recorded(running, donations, 60)


def test_every_topic_but_those_for_others_is_read_and_so_poisoned_here() -> None:
    assert set(TOPICS) - set(READERS) == {"checkpoints.published.v1"}


def unbalanced(organization: str) -> Envelope[EntryRequested]:
    fund = type_id("fund", UUID(int=7))
    postings = tuple(
        PostingRequested(account=account, amount=amount, currency="USD", fund=fund)
        for account, amount in (("Assets:Stripe", "100"), ("Income:Donations", "-99"))
    )
    body = EntryRequested(
        kind="donation", visibility="public_full", postings=postings, details={}, subject="x"
    )
    now = datetime.now(UTC)
    return Envelope(random_id(now), ENTRIES_REQUESTED.name, now, organization, None, body)


async def test_an_entry_that_does_not_balance_is_refused_and_said_so(
    running: Running, then: Before
) -> None:
    organizations = await running.fetch("SELECT id FROM edge.organizations WHERE NOT is_platform")
    message = unbalanced(organizations[0]["id"])
    record = encode(ENTRIES_REQUESTED, message)
    assert decode(ENTRIES_REQUESTED, record.headers, record.value) == message
    await send(running, record.topic, record.key, record.value, list(record.headers))

    async def refused() -> bool:
        rows = await running.fetch(
            "SELECT code, reason FROM messages.set_aside WHERE message_id = $1", message.id
        )
        return bool(rows)

    await until(refused, what="the unbalanced entry is a dead letter")
    donations = await give(running, 5, prefix="after-unbalanced")
    await all_recorded(running, donations, 60)
    await assert_ledger_holds_exactly(running, donations, then)
