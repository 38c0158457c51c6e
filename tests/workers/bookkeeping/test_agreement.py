"""The writer, started on a database that is not what was published."""

import asyncio
import random

import pytest

from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift

#: As a superuser who wants to leave no trace would: triggers and constraints off.
UNGUARD = """
    ALTER TABLE ledger.entries DISABLE TRIGGER ALL;
    ALTER TABLE ledger.writers DISABLE TRIGGER ALL;
    ALTER TABLE ledger.entries DROP CONSTRAINT hash_of_bytes;
"""


async def published(stand: Stand, count: int) -> str:
    """A log of so many published entries, its processes stopped; the organization with gifts."""
    platform, a = (name("org", random.SystemRandom().getrandbits(64)) for _ in range(2))
    writer = await stand.start("bookkeeping")
    publisher = await stand.start("checkpoints")
    gifts = [gift(a, number) for number in range(count - 2)]
    await stand.publish([genesis(platform), genesis(a), *gifts])
    await stand.published(count)
    await stand.stop(writer)
    await stand.stop(publisher)
    return a


async def refuses(stand: Stand, reason: str) -> None:
    before = await stand.database.value("SELECT count(*) FROM ledger.entries")
    writer = await stand.start("bookkeeping")
    assert await asyncio.wait_for(writer.wait(), 30) == 1
    assert "writer_ends" in stand.events()
    assert reason in stand.logs()
    assert await stand.database.value("SELECT count(*) FROM ledger.entries") == before


async def test_it_continues_what_was_published_and_what_was_not_yet(stand: Stand) -> None:
    a = await published(stand, 6)
    for number in (100, 101):  # The second start has a tail that no checkpoint covers.
        writer = await stand.start("bookkeeping")
        message = gift(a, number)
        await stand.publish([message])
        assert (await stand.recorded(7 + number - 100))[-1] == entry_id(message)
        await stand.stop(writer)
    assert "published_log_not_compared" not in stand.events()


@pytest.mark.parametrize("covers_all", [True, False])
async def test_it_refuses_a_log_that_was_rewritten(stand: Stand, covers_all: bool) -> None:
    a = await published(stand, 6)
    if not covers_all:
        writer = await stand.start("bookkeeping")
        await stand.publish([gift(a, 100)])
        await stand.recorded(7)
        await stand.stop(writer)
    async with stand.database.connect() as connection:
        await connection.execute(UNGUARD)
        await connection.execute(
            "UPDATE ledger.writers SET frontier = $1 || substr(frontier, 33)", bytes(32)
        )
    await refuses(stand, "are not those that were published")


async def test_it_refuses_an_entry_changed_after_the_last_checkpoint(stand: Stand) -> None:
    a = await published(stand, 6)
    writer = await stand.start("bookkeeping")
    await stand.publish([gift(a, 100)])
    await stand.recorded(7)
    await stand.stop(writer)
    async with stand.database.connect() as connection:
        await connection.execute(UNGUARD)
        await connection.execute("UPDATE ledger.entries SET bytes = bytes || 'x' WHERE index = 6")
    await refuses(stand, "the entry at index 6 is not what was hashed")


async def test_it_refuses_a_database_older_than_the_published_log(stand: Stand) -> None:
    await published(stand, 6)
    async with stand.database.connect() as connection:
        await connection.execute(UNGUARD)
        await connection.execute("DELETE FROM ledger.entries WHERE index >= 4")
        four = "UPDATE ledger.writers SET size = 4, frontier = substr(frontier, 1, 32)"
        await connection.execute(four)
    await refuses(stand, "the database holds 4 entries, 6 are published")


async def test_it_refuses_a_published_checkpoint_of_another_log(stand: Stand) -> None:
    await published(stand, 4)
    checkpoint = stand.folder / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("ledger.example.org", "other.example.org"))
    await refuses(stand, "is of other.example.org/log/0")
    checkpoint.write_text("nonsense")
    await refuses(stand, "is no checkpoint")
