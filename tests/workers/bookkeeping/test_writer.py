"""The writer as a process, between a real Kafka and a real PostgreSQL."""

import asyncio
import os
import random
import signal

import pytest

from contracts.entries import EntryRequested
from contracts.identifiers import caused_id
from contracts.message import Envelope
from tests.ledger.database import until
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift, requested
from topics import codec, dead_letters
from topics.delivery import Delivery
from topics.registry import ENTRIES_RECORDED, ENTRIES_REQUESTED


def organizations() -> tuple[str, str, str]:
    """New ones for each test, since announcements of all tests are in one topic."""
    number = random.SystemRandom().getrandbits(64)
    return (name("org", f"P{number}"), name("org", f"A{number}"), name("org", f"B{number}"))


async def test_requests_become_entries_that_are_announced_in_order(stand: Stand) -> None:
    platform, a, b = organizations()
    messages = [genesis(platform), genesis(a), genesis(b)]
    messages += [gift(a if number % 2 else b, number) for number in range(40)]
    writer = await stand.start("bookkeeping")
    await stand.publish(messages)
    assert await stand.recorded(43) == [entry_id(one) for one in messages]
    told = await stand.announced({platform, a, b}, 43)
    for organization in (a, b):
        of_one = [one for one in told if one.organization == organization]
        assert [one.body.seq for one in of_one] == list(range(21))
    by_cause = {one.cause: one for one in told}
    for index, message in enumerate(messages):
        body = by_cause[message.id].body
        assert by_cause[message.id].id == caused_id(message.id, ENTRIES_RECORDED.name)
        assert (body.entry_id, body.index) == (entry_id(message), index)
        assert (body.kind, body.subject) == (message.body.kind, message.body.subject)
    await stand.stop(writer)
    assert await stand.database.value("SELECT index FROM ledger.announced") <= 43


async def test_every_message_three_times_in_any_order_is_recorded_once(stand: Stand) -> None:
    platform, a, b = organizations()
    messages = [genesis(a), genesis(b)]
    for number in range(20):
        one = gift(a if number % 3 else b, number)
        undone = gift(one.organization, -number, kind="refund", donor=None, ref=entry_id(one))
        messages += [one, undone]
    shuffled = messages * 3
    seed = random.SystemRandom().getrandbits(32)
    random.Random(seed).shuffle(shuffled)
    await stand.publish([genesis(platform)])
    for start in range(0, len(shuffled), 17):
        await stand.publish(shuffled[start : start + 17])
    writer = await stand.start("bookkeeping")
    recorded = await stand.recorded(len(messages) + 1)
    assert sorted(recorded[1:]) == sorted(map(entry_id, messages)), f"seed {seed}"
    await stand.stop(writer)
    waiting = await stand.database.value("SELECT count(*) FROM ledger.waiting")
    assert waiting == 0, f"seed {seed}"


async def test_poison_is_set_aside_with_its_reason_and_the_rest_goes_on(stand: Stand) -> None:
    platform, a, b = organizations()
    good = [genesis(platform), genesis(a), genesis(b), gift(a, 1), gift(b, 2)]
    unbalanced = gift(a, 3)
    lines = unbalanced.body.postings
    assert lines is not None
    bad_lines = (lines[0], lines[1].model_copy(update={"amount": "-1"}))
    records = [codec.encode(ENTRIES_REQUESTED, one) for one in good]
    whole = codec.encode(ENTRIES_REQUESTED, gift(a, 4))
    nobody = requested("nobody", kind="donation")
    poison = {
        "undecodable": [
            codec.Record(whole.topic, 0, b"", b"0", ()),
            codec.Record(whole.topic, 0, b"", b"\xff{", whole.headers),
            codec.Record(whole.topic, 0, b"", b"{}", whole.headers),
            codec.encode(ENTRIES_REQUESTED, nobody),
        ],
        "malformed_money": [
            codec.encode(ENTRIES_REQUESTED, gift(a, 3, postings=bad_lines)),
        ],
        "malformed_entry": [
            codec.encode(ENTRIES_REQUESTED, gift(b, 5, details={"Key": 1})),
        ],
        # PostgreSQL's text holds no U+0000: only the database says no to this one.
        "database_refused": [
            codec.encode(ENTRIES_REQUESTED, gift(b, 6, subject="don\0")),
        ],
    }
    mixed = records[:3] + [one for some in poison.values() for one in some] + records[3:]
    await stand.publish(mixed)
    writer = await stand.start("bookkeeping")
    assert await stand.recorded(5) == [entry_id(one) for one in good]
    rows = await stand.database.fetch(
        "SELECT code, count(*) AS number FROM messages.set_aside WHERE disposition = 'dead'"
        " GROUP BY code"
    )
    assert {row["code"]: row["number"] for row in rows} == {
        code: len(some) for code, some in poison.items()
    }
    told = await stand.database.fetch("SELECT topic FROM messages.outbox")
    assert [row["topic"] for row in told] == ["messages.refused.v1"] * 3
    await stand.stop(writer)


async def test_a_donors_seal_that_is_used_again_is_refused_and_the_rest_goes_on(
    stand: Stand,
) -> None:
    platform, a, _ = organizations()
    first = gift(a, 1)
    writer = await stand.start("bookkeeping")
    await stand.publish([genesis(platform), genesis(a), first])
    await stand.recorded(3)
    others = [gift(a, 3), gift(a, 4)]
    await stand.publish([others[0], gift(a, 2, donor=first.body.donor), others[1]])
    assert (await stand.recorded(5))[3:] == [entry_id(one) for one in others]
    codes = await stand.database.fetch("SELECT code FROM messages.set_aside")
    assert [row["code"] for row in codes] == ["seal_used_twice"]
    await stand.stop(writer)


async def test_what_waits_is_kept_over_a_restart_and_recorded_when_its_turn_comes(
    stand: Stand,
) -> None:
    platform, a, _ = organizations()
    first = gift(a, 1)
    refund = gift(a, 2, kind="refund", donor=None, ref=entry_id(first))
    await stand.publish([genesis(platform), refund, first])
    writer = await stand.start("bookkeeping")
    await stand.recorded(1)
    writer.kill()
    await writer.wait()
    assert await stand.database.value("SELECT count(*) FROM ledger.waiting") == 2
    opening = genesis(a)
    await stand.publish([opening])
    await stand.start("bookkeeping")
    assert (await stand.recorded(4))[1:] == [entry_id(one) for one in (opening, first, refund)]
    assert await stand.database.value("SELECT count(*) FROM ledger.waiting") == 0


async def test_a_released_dead_letter_is_recorded_or_buried_again(stand: Stand) -> None:
    platform, a, _ = organizations()
    good = codec.encode(ENTRIES_REQUESTED, gift(a, 1))
    bad = codec.encode(ENTRIES_REQUESTED, gift(a, 2, details={"Key": 1}))
    dead = dead_letters.Verdict("dead", "test", "put there by a test")
    async with stand.database.connect() as connection:
        rows = [
            (Delivery(one.topic, 0, offset, one.key, one.headers, one.value), None, dead)
            for offset, one in enumerate((good, bad))
        ]
        await dead_letters.put(connection, "bookkeeping", rows)
        found = await dead_letters.find(connection, worker="bookkeeping")
        assert await dead_letters.release(connection, [row.position for row in found]) == 2
    await stand.publish([genesis(platform), genesis(a)])
    await stand.start("bookkeeping")
    await stand.recorded(3)

    async def buried() -> bool:
        sql = "SELECT disposition, code FROM messages.set_aside"
        rows = [tuple(row) for row in await stand.database.fetch(sql)]
        return rows == [("dead", "malformed_entry")]

    await until(buried, "the bad one is buried again and the good one forgotten")


@pytest.mark.parametrize("step", ["bookkeeping.before_commit", "bookkeeping.committed"])
async def test_killed_around_its_commit_it_records_everything_once(stand: Stand, step: str) -> None:
    platform, a, _ = organizations()
    messages = [genesis(platform), genesis(a), *(gift(a, number) for number in range(60))]
    dying = asyncio.create_task(stand.start_to_die("bookkeeping", step, 2))
    for start in range(0, len(messages), 10):
        await stand.publish(messages[start : start + 10])
        await asyncio.sleep(0.05)  # Several batches, so that a second commit is reached.
    await stand.publish([last := gift(a, "last")])
    await keep_sending_until(dying, stand, a, messages)
    writer = await stand.start("bookkeeping")
    epoch = "SELECT epoch = 2 FROM ledger.writers"
    await until(lambda: stand.database.value(epoch), "the new writer has the pen")
    messages.append(last)
    assert sorted(await stand.recorded(len(messages))) == sorted(map(entry_id, messages))
    await stand.stop(writer)


async def keep_sending_until(
    dying: "asyncio.Task[None]",
    stand: Stand,
    organization: str,
    messages: list[Envelope[EntryRequested]],
) -> None:
    """Give a process that started late the further batches that it dies at."""
    number = 1000
    while not dying.done():
        extra = gift(organization, number)
        await stand.publish([extra])
        messages.append(extra)
        number += 1
        await asyncio.wait({dying}, timeout=0.2)
    await dying


async def test_a_paused_writer_that_was_overtaken_ends_and_appends_nothing(stand: Stand) -> None:
    platform, a, _ = organizations()
    old = await stand.start("bookkeeping")
    await stand.publish([genesis(platform), genesis(a)])
    await stand.recorded(2)
    os.kill(old.pid, signal.SIGSTOP)
    new = await stand.start("bookkeeping")
    messages = [gift(a, number) for number in range(30)]
    await stand.publish(messages[:20])
    await stand.recorded(22)
    os.kill(old.pid, signal.SIGCONT)
    await stand.publish(messages[20:])
    assert (await stand.recorded(32))[2:] == [entry_id(one) for one in messages]
    assert await asyncio.wait_for(old.wait(), 30) == 1
    assert "writer_ends" in stand.events()
    assert "FencedError" in stand.logs()
    await stand.stop(new)


async def test_an_offset_that_kafka_lost_ends_the_writer_loudly(stand: Stand) -> None:
    await stand.database.fetch("UPDATE ledger.writers SET next_offset = next_offset + 1000000")
    writer = await stand.start("bookkeeping")
    assert await asyncio.wait_for(writer.wait(), 30) == 1
    assert "OffsetLostError" in stand.logs()
