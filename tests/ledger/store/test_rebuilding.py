"""Everything derived is made again from entries and openings, shown, and replaced when asked."""

import asyncpg
import pytest

from ledger.projection import Reader, UnreadableEntryError
from ledger.store import checking, pen, projections, rebuilding
from ledger.store.rebuilding import Rebuilt
from tests.ledger.database import Database, append
from tests.ledger.making import ORIGIN, donation, genesis, name, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")


async def fill(database: Database) -> None:
    kinds = ("public_full", "public_aggregated", "internal_only")
    await database.record(genesis(PLATFORM), genesis(A), genesis(B))
    for start in range(0, 40, 10):
        numbers = range(start, start + 10)
        await database.record(
            *(donation(A if n % 3 else B, n, 10 + n, visibility=kinds[n % 3]) for n in numbers)
        )
    await database.record(refund(A, "r", name("ent", 1)))
    async with database.connect("books") as connection:
        await projections.advance(connection, 0, 0, 30, Reader())


async def rebuild(database: Database, *, apply: bool) -> Rebuilt:
    async with database.connect("bookkeeping") as connection:
        return await rebuilding.rebuild(connection, 0, apply=apply)


async def agrees(database: Database) -> bool:
    async with database.connect("books") as connection:
        return (await checking.check(connection, 0, ORIGIN, None)).agrees


CHANGED = {
    "chains": "UPDATE ledger.chains SET seq = 0",
    "chains, one gone": f"DELETE FROM ledger.chains WHERE organization = '{A}'",
    "chains, one too many": "INSERT INTO ledger.chains VALUES ('org_x', 0, 0, sha256(''))",
    "funds": "UPDATE ledger.funds SET currency = NULL",
    "balances": "UPDATE ledger.balances SET amount = 3 * amount",
    "balances, all gone": "DELETE FROM ledger.balances",
    "daily_sums": "UPDATE ledger.daily_sums SET amount = 7",
    "daily_sums, another day": "UPDATE ledger.daily_sums SET day = '2001-01-01'",
    "monthly_figures": "UPDATE ledger.monthly_figures SET income = 0, gifts = 99",
}


async def test_what_differs_is_shown_and_replaced_only_when_asked(database: Database) -> None:
    await fill(database)
    found = await rebuild(database, apply=False)
    assert (found.entries, found.shown, found.differences) == (44, [], 0)
    for what, statement in CHANGED.items():
        await database.fetch(statement)
        assert not await agrees(database)
        shown = await rebuild(database, apply=False)
        assert shown.differences >= 1, what
        assert {one.table for one in shown.shown} == {what.split(",")[0]}, what
        assert not await agrees(database), "looking changes nothing"
        replaced = await rebuild(database, apply=True)
        assert replaced.differences == shown.differences, what
        assert await agrees(database), what
        assert (await rebuild(database, apply=True)).differences == 0, what
    async with database.connect("books") as connection:
        assert await projections.advance(connection, 0, 30, 100, Reader()) == 44
    assert await agrees(database)


async def test_a_running_writer_is_fenced_by_the_switch_only(database: Database) -> None:
    await fill(database)
    async with database.connect("bookkeeping") as connection:
        held = await pen.take(connection, 0, ORIGIN, "running")
        await rebuild(database, apply=True)
        await append(connection, held, [donation(A, "while nothing differs")])
        held = await pen.take(connection, 0, ORIGIN, "running", held.epoch)
        await database.fetch("UPDATE ledger.funds SET currency = NULL")
        await rebuild(database, apply=False)
        await append(connection, held, [donation(A, "while looking")])
        await rebuild(database, apply=True)
        with pytest.raises(pen.FencedError):
            await append(connection, held, [donation(A, "after the switch")])
    assert await agrees(database)


async def test_entries_that_cannot_be_read_switch_nothing(database: Database) -> None:
    await fill(database)
    await database.fetch("UPDATE ledger.funds SET currency = NULL")
    await database.fetch("DELETE FROM ledger.openings WHERE section = 'money'")
    with pytest.raises(UnreadableEntryError):
        await rebuild(database, apply=True)
    assert await database.value("SELECT count(currency) FROM ledger.funds") == 0


async def test_the_role_that_rebuilds_still_changes_no_entry(database: Database) -> None:
    await fill(database)
    async with database.connect("bookkeeping") as connection:
        for table in ("entries", "openings"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM ledger.{table}")
