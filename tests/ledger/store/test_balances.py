"""Sums behind the writer, and balances as of any entry or time, against sums of the entries."""

import random
from collections import defaultdict
from datetime import timedelta

import asyncpg
import pytest

from amply_verify.money import Line
from ledger.projection import Reader, UnreadableEntryError
from ledger.store import balances, pen, projections
from tests.ledger.database import Database, append
from tests.ledger.making import NOON, ORIGIN, donation, genesis, name, postings

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
HOUR = timedelta(hours=1)
VISIBILITIES = ("public_full", "public_aggregated", "internal_only")


async def record_over_days(database: Database, seed: int) -> list[dict[Line, int]]:
    """Three weeks of gifts to A, among B's; A's balances after each of its entries."""
    draw = random.Random(seed)
    after: list[dict[Line, int]] = [{}]
    async with database.connect("bookkeeping") as connection:
        first = [genesis(PLATFORM), genesis(A), genesis(B)]
        await append(connection, await pen.take(connection, 0, ORIGIN, "test"), first, NOON)
        for number in range(60):
            organization = draw.choice((A, A, B))
            fund = name("fund", f"{organization}{draw.randint(0, 1)}")
            lines = postings(draw.randint(1, 9), fund, draw.choice(("EUR",)))
            gift = donation(organization, number, postings=lines)
            gift = gift._replace(visibility=draw.choice(VISIBILITIES))
            moment = NOON + (number + 1) * 9 * HOUR
            await append(connection, await pen.take(connection, 0, ORIGIN, "test"), [gift], moment)
            if organization == A:
                sums = defaultdict(int, after[-1])
                for line in lines:
                    key = Line(line["fund"], line["account"], line["currency"])
                    sums[key] += int(line["amount"])
                after.append(dict(sorted(sums.items())))
    return after


async def project(database: Database, entries_max: int) -> int:
    async with database.connect("books") as connection:
        start = await projections.cursor(connection, 0)
        return await projections.advance(connection, 0, start, entries_max, Reader())


async def test_balances_are_known_after_every_entry_however_far_the_sums_reach(
    database: Database,
) -> None:
    expected = await record_over_days(database, seed=1)
    async with database.connect("books") as connection:
        for steps in (0, 1, 20, 21, 100):
            await project(database, steps)
            for seq in range(0, len(expected), 1 if steps in (0, 100) else 7):
                _, found = await balances.balances_at(connection, A, seq)
                assert found == expected[seq], (steps, seq)


async def test_a_time_names_the_last_entry_recorded_by_then(database: Database) -> None:
    expected = await record_over_days(database, seed=2)
    async with database.connect("books") as connection:
        last = await balances.last_seq(connection, A)
        assert last == len(expected) - 1
        assert await balances.last_seq(connection, A, NOON + timedelta(days=999)) == last
        assert await balances.last_seq(connection, A, NOON) == 0
        for seq in range(last + 1):
            moment, _ = await balances.balances_at(connection, A, seq)
            assert await balances.last_seq(connection, A, moment) == seq
            if seq:
                before = moment - timedelta(microseconds=1)
                assert await balances.last_seq(connection, A, before) == seq - 1


async def test_what_is_not_there_is_said_in_a_sentence(database: Database) -> None:
    await database.record(genesis(PLATFORM), genesis(A))
    async with database.connect("books") as connection:
        with pytest.raises(balances.NoSuchEntryError, match="no entry in the ledger"):
            await balances.last_seq(connection, B)
        with pytest.raises(balances.NoSuchEntryError, match="at that time"):
            await balances.last_seq(connection, A, NOON - timedelta(days=9999))
        with pytest.raises(balances.NoSuchEntryError, match="no entry 7"):
            await balances.balances_at(connection, A, 7)


async def test_two_who_sum_up_at_once_count_nothing_twice(database: Database) -> None:
    await record_over_days(database, seed=3)
    async with database.connect("books") as one, database.connect("books") as other:
        end = await projections.advance(one, 0, 0, 30, Reader())
        with pytest.raises(projections.OvertakenError):
            await projections.advance(other, 0, 0, 30, Reader())
        while end < (end := await projections.advance(other, 0, end, 30, Reader())):
            pass
    sql = """
        SELECT organization, fund, account, currency, sum(amount) AS amount FROM ledger.daily_sums
        GROUP BY 1, 2, 3, 4 EXCEPT SELECT organization, fund, account, currency, amount
        FROM ledger.balances
    """
    assert await database.fetch(sql) == []
    assert await database.value("SELECT sum(entries) FROM ledger.monthly_figures") == 60


async def test_a_lost_opening_stops_the_sums(database: Database) -> None:
    await database.record(genesis(PLATFORM), donation(PLATFORM, 1, visibility="internal_only"))
    await database.fetch("DELETE FROM ledger.openings WHERE section = 'money'")
    with pytest.raises(UnreadableEntryError, match="entry 1: the opening of its money is missing"):
        await project(database, 10)
    assert await database.value("SELECT index FROM ledger.projected") == 0


async def test_tenants_see_their_own_figures_and_no_others(database: Database) -> None:
    await record_over_days(database, seed=4)
    await project(database, 100)
    async with database.connect("edge") as connection:
        for scope, seen in (("", set()), (A, {A}), (f"{A},{B}", {A, B})):
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.organizations', $1, true)", scope)
                rows = await connection.fetch("SELECT organization FROM read.monthly_figures")
                assert {row["organization"] for row in rows} == seen
    async with database.connect("operations") as connection:
        assert await connection.fetch("SELECT * FROM ledger.daily_sums") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM ledger.daily_sums_0")
