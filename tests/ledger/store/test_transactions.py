"""Transactions follow the log with the sums, sealed entries too, and can be made again."""

from typing import Any

from ledger.projection import Reader
from ledger.store import projections, rebuilding
from tests.ledger.database import Database
from tests.ledger.making import donation, genesis, name, postings, refund

A, PLATFORM = name("org", "A"), name("org", "P")
ROWS = (
    "SELECT type, amount::bigint AS amount, index, campaign, ref FROM ledger.transactions"
    " WHERE organization = $1 ORDER BY index, type"
)


async def follow(database: Database, entries_max: int) -> None:
    async with database.connect("books") as connection:
        reader = Reader()
        start = await projections.cursor(connection, 0)
        while start < await projections.size(connection, 0):
            start = await projections.advance(connection, 0, start, entries_max, reader)


async def fill(database: Database) -> None:
    await database.record(genesis(PLATFORM), genesis(A))
    kinds = ("public_full", "public_aggregated", "internal_only")
    for number, visibility in enumerate(kinds):
        lines = postings(1000 + number, name("fund", "a"))
        details = {"campaign": f"camp_{number}"}
        await database.record(
            donation(A, number, postings=lines, details=details, visibility=visibility)
        )
    await database.record(refund(A, "r", name("ent", 1)))


async def rows(database: Database) -> list[Any]:
    return [tuple(row) for row in await database.fetch(ROWS, A)]


async def test_transactions_follow_the_log_whatever_is_sealed(database: Database) -> None:
    await fill(database)
    await follow(database, 2)
    found = await rows(database)
    assert [row[:4] for row in found[:3]] == [
        ("donation", 1000, 2, "camp_0"),
        ("donation", 1001, 3, "camp_1"),
        ("donation", 1002, 4, "camp_2"),
    ]
    assert (found[3][0], found[3][4]) == ("refund_issued", name("ent", 1))
    [sums] = await database.fetch(
        "SELECT (SELECT sum(amount) FROM ledger.transactions) AS told,"
        " (SELECT sum(amount) FROM ledger.balances WHERE account LIKE 'Assets:%') AS held"
    )
    assert sums["told"] == sums["held"] != 0


async def test_what_differs_is_made_again(database: Database) -> None:
    await fill(database)
    await follow(database, 1000)
    before = await rows(database)
    for damage in (
        "UPDATE ledger.transactions SET amount = amount + 1, campaign = NULL",
        "DELETE FROM ledger.transactions",
    ):
        await database.fetch(damage)
        async with database.connect("bookkeeping") as connection:
            shown = await rebuilding.rebuild(connection, 0, apply=False)
        assert {one.table for one in shown.shown} == {"transactions"}
        async with database.connect("bookkeeping") as connection:
            await rebuilding.rebuild(connection, 0, apply=True)
        assert await rows(database) == before


async def test_another_role_cannot_change_them_and_another_tenant_sees_none(
    database: Database,
) -> None:
    await fill(database)
    await follow(database, 1000)
    async with database.connect("edge") as connection:
        assert await connection.fetch("SELECT FROM read.transactions") == []
        await connection.execute("SELECT set_config('app.organizations', $1, false)", A)
        assert len(await connection.fetch("SELECT FROM read.transactions")) == 4
