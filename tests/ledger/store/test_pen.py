"""Who may append, and what an append stores."""

import asyncio

import asyncpg
import pytest

from amply_verify import tree
from amply_verify.entry import parse_entry
from ledger.store import pen, waiting
from ledger.store.waiting import WaitingRow
from tests.ledger.database import Database, append, until
from tests.ledger.making import ORIGIN, donation, genesis, name, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")


async def test_what_is_appended_is_what_the_next_writer_continues(database: Database) -> None:
    await database.record(genesis(PLATFORM), genesis(A))
    await database.record(donation(A, 1, 700), donation(A, 2, 300))
    await database.record(donation(A, 1, 700), refund(A, 3, name("ent", 1)))
    rows = await database.fetch("SELECT * FROM read.entries ORDER BY index")
    assert [row["seq"] for row in rows] == [0, 0, 1, 2, 3]
    assert [parse_entry(row["bytes"], ORIGIN).id for row in rows] == [row["id"] for row in rows]
    leaves = [tree.leaf_hash(row["bytes"]) for row in rows]
    async with database.connect("bookkeeping") as connection:
        held = await pen.take(connection, 0, ORIGIN, "test")
        assert await waiting.awaited(connection, 0) == set()
    assert held.state.frontier.root() == tree.root_of(leaves)
    assert (held.state.size, held.state.platform, held.next_offset) == (5, PLATFORM, 6)
    assert held.state.last_time == rows[-1]["recorded_at"]
    balances = await database.fetch("SELECT account, amount FROM ledger.balances ORDER BY account")
    assert dict(map(tuple, balances)) == {"Assets:Stripe": -1500, "Income:Donations": 1500}
    head = await database.fetch("SELECT seq, head FROM ledger.chains WHERE organization = $1", A)
    assert tuple(head[0]) == (3, leaves[-1])


async def test_a_writer_that_was_overtaken_cannot_append(database: Database) -> None:
    async with database.connect("bookkeeping") as first, database.connect("bookkeeping") as second:
        old = await pen.take(first, 0, ORIGIN, "old")
        new = await pen.take(second, 0, ORIGIN, "new")
        assert new.epoch == old.epoch + 1
        with pytest.raises(pen.FencedError):
            await append(first, old, [genesis(PLATFORM)])
        await append(second, new, [genesis(PLATFORM)])
        with pytest.raises(pen.FencedError):
            await append(first, old, [genesis(A)])
        with pytest.raises(pen.FencedError):
            await pen.take(first, 0, ORIGIN, "old", old.epoch)
        again = await pen.take(second, 0, ORIGIN, "new", new.epoch)
        assert again.state.size == 1
    assert await database.value("SELECT count(*) FROM ledger.entries") == 1


async def test_taking_the_pen_waits_for_an_append_under_way(database: Database) -> None:
    async with database.connect("bookkeeping") as first, database.connect("bookkeeping") as second:
        old = await pen.take(first, 0, ORIGIN, "old")
        transaction = first.transaction()
        await transaction.start()
        await append(first, old, [genesis(PLATFORM)])
        taking = asyncio.create_task(pen.take(second, 0, ORIGIN, "new", patience_ms=60_000))
        await until(
            lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
            "the new writer waits",
        )
        await transaction.commit()
        assert (await taking).state.size == 1


async def test_taking_the_pen_ends_an_append_that_hangs(database: Database) -> None:
    first = await asyncpg.connect(database.role_dsn("bookkeeping"))
    async with database.connect("bookkeeping") as second:
        old = await pen.take(first, 0, ORIGIN, "old")
        await first.transaction().start()
        await append(first, old, [genesis(PLATFORM)])
        new = await pen.take(second, 0, ORIGIN, "new", patience_ms=1_000)
        assert (new.epoch, new.state.size) == (old.epoch + 1, 0)
        # Which one depends on how much of the end the client has read already.
        with pytest.raises(
            (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
        ):
            await first.execute("COMMIT")
    first.terminate()
    assert await database.value("SELECT count(*) FROM ledger.entries") == 0


async def test_an_unknown_log_is_said_to_be_unknown(database: Database) -> None:
    async with database.connect("bookkeeping") as connection:
        with pytest.raises(pen.NoSuchLogError, match="log 7"):
            await pen.take(connection, 7, ORIGIN, "test")


async def test_waiting_requests_are_found_by_what_they_wait_for(database: Database) -> None:
    rows = [WaitingRow(name("ent", n), A, A, n, b"key", "[]", b"{}") for n in (2, 1)]
    async with database.connect("bookkeeping") as connection:
        await waiting.put(connection, 0, rows)
        assert await waiting.awaited(connection, 0) == {A}
        assert await waiting.find(connection, 0, [A, B]) == rows[::-1]
        await waiting.put(connection, 0, [rows[0]._replace(waits_for=B)])
        assert await waiting.awaited(connection, 0) == {A, B}
        age_s, number = await waiting.age(connection)
        assert (age_s >= 0, number) == (True, 2)
        await waiting.remove(connection, 0, [row.id for row in rows])
        assert await waiting.age(connection) == (0.0, 0)
