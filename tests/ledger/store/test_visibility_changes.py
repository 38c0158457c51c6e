"""The newest label of each entry, kept in the transaction of the change."""

import asyncpg
import pytest

from ledger.store import labels
from tests.ledger.database import Database
from tests.ledger.making import donation, genesis, name, visibility_change

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
GIFT = name("ent", 1)
DAY = "2027-06-01T00:00:00.000000Z"
LABELS = "SELECT visibility, public_after, changed_by FROM ledger.visibility_changes"


async def test_the_newest_change_is_kept_and_asked_again(database: Database) -> None:
    await database.record(
        genesis(PLATFORM), genesis(A), donation(A, 1, visibility="internal_only"), donation(A, 2)
    )
    await database.record(
        visibility_change(A, 3, GIFT, to="delayed_public", public_after=DAY),
    )
    assert list(map(tuple, await database.fetch(LABELS))) == [
        ("delayed_public", DAY, name("ent", 3))
    ]
    decision = await database.record(
        visibility_change(A, 4, GIFT, to="public_aggregated"),
        visibility_change(A, 5, GIFT, to="public_full"),
        visibility_change(A, 6, name("ent", 2), to="public_full"),
    )
    assert [(one.request.id, one.code) for one in decision.refused] == [
        (name("ent", 4), "visibility_not_wider"),
        (name("ent", 6), "visibility_not_wider"),
    ]
    assert list(map(tuple, await database.fetch(LABELS))) == [("public_full", None, name("ent", 5))]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.visibility_changes SET visibility = 'public_aggregated'",
        "UPDATE ledger.visibility_changes SET public_after = '2029-01-01T00:00:00.000000Z'",
        "UPDATE ledger.visibility_changes SET changed_by = 'nobody'",
    ],
)
async def test_the_database_refuses_to_hide_what_was_shown(
    database: Database, statement: str
) -> None:
    await database.record(genesis(PLATFORM), donation(PLATFORM, 1, visibility="internal_only"))
    await database.record(
        visibility_change(PLATFORM, 2, GIFT, to="delayed_public", public_after=DAY)
    )
    with pytest.raises(asyncpg.CheckViolationError, match="only become wider"):
        await database.fetch(statement)
    async with database.connect("bookkeeping") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM ledger.visibility_changes")


async def test_what_is_kept_is_compared_with_what_the_entries_say(database: Database) -> None:
    gifts = [donation(PLATFORM, of, visibility="internal_only") for of in range(3)]
    await database.record(genesis(PLATFORM), *gifts)
    await database.record(
        visibility_change(PLATFORM, "a", gifts[0].id, to="public_aggregated"),
        visibility_change(PLATFORM, "b", gifts[0].id, to="delayed_public", public_after=DAY),
        visibility_change(PLATFORM, "c", gifts[1].id, to="public_full"),
    )
    async with database.connect() as connection:
        assert await labels.differences(connection, 10) == []
        await connection.execute(
            "DELETE FROM ledger.visibility_changes WHERE entry_id = $1", gifts[1].id
        )
        await connection.execute(
            "INSERT INTO ledger.visibility_changes VALUES ($1, $2, 'public_full', NULL, 'nobody')",
            *(gifts[2].id, PLATFORM),
        )
        found = {tuple(row) for row in await labels.differences(connection, 10)}
    assert found == {
        (gifts[1].id, PLATFORM, "public_full", None),
        (gifts[2].id, PLATFORM, None, "public_full"),
    }


async def test_changes_are_seen_within_ones_organization_only(database: Database) -> None:
    gifts = [donation(of, of, visibility="internal_only") for of in (A, B)]
    await database.record(genesis(PLATFORM), genesis(A), genesis(B), *gifts)
    await database.record(
        *(visibility_change(of, f"{of}+", name("ent", of), to="public_full") for of in (A, B))
    )
    async with database.connect("edge") as connection:
        sql = "SELECT organization FROM read.visibility_changes"
        assert await connection.fetch(sql) == []
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.organizations', $1, true)", A)
            assert [row["organization"] for row in await connection.fetch(sql)] == [A]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM ledger.visibility_changes")


async def test_the_business_clock_only_goes_forward(database: Database) -> None:
    ahead = "UPDATE sandbox.business_clock SET ahead = ahead + $1::text::interval"
    async with database.connect("operations") as operations:
        await operations.execute(ahead, "2 days")
        with pytest.raises(asyncpg.CheckViolationError, match="only goes forward"):
            await operations.execute(ahead, "-1 second")
    async with database.connect("edge") as edge:
        sql = "SELECT now - clock_timestamp() > interval '47 hours' FROM read.business_clock"
        assert await edge.fetchval(sql)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await edge.execute(ahead, "1 day")
