"""Forgetting a donor in a real database, with the rights of operators and nothing more."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from deploy import erasure
from deploy.erasure import ErasureError, erase
from ledger.store import erasure as ledger
from ledger.store import pen
from tests.deploy.erasing import MASTER, MOMENT, NOTHING, Person
from tests.engines import LoopThread
from tests.ledger import making
from tests.ledger.database import Database, append, until
from tests.ledger.making import name
from workers.retention.journal import Erasure, Journal


@pytest.fixture(scope="module")
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "erasures.journal")


async def test_one_donor_is_forgotten_wherever_something_is_kept_and_no_other(
    database: Database, journal: Journal
) -> None:
    one, other = await Person(database).arrive(gifts=3), await Person(database).arrive(gifts=2)
    before = await other.traces()
    assert before == {"profiles": 1, "gifts": 2, "openings": 2, "fingerprints": 2, "events": 2}
    erased = await one.erase(journal, now=lambda: MOMENT)
    assert (erased.gifts, erased.entries, erased.earlier) == (3, 3, None)
    assert await one.traces() == NOTHING
    assert await one.pending() == {one.gift(number).id for number in range(3)}
    assert await other.traces() == before
    assert await other.pending() == set()
    assert journal.read() == [Erasure(one.organization, one.profile, "gdpr-17", MOMENT)]
    # Requests and events keep their rows: a retry or a repetition finds that it was there.
    sql = "SELECT count(*) FROM edge.requests WHERE organization = $1"
    assert await database.value(sql, one.organization) == 3
    again = await one.erase(journal)
    assert again.earlier == MOMENT
    assert len(journal.read()) == 1


async def test_a_donor_is_found_by_mail_address_in_any_spelling_and_by_donation(
    database: Database,
) -> None:
    person = await Person(database).arrive(gifts=1)
    donation = person.gift(0).subject or ""
    async with database.connect("operations") as connection:
        for email in (person.email, f"  {person.email.upper()} "):
            found = await erasure.find_by_email(connection, person.organization, email, MASTER)
            assert found == person.profile
        organization = person.organization
        found = await erasure.find_by_donation(connection, organization, donation)
        assert found == person.profile
        assert await erasure.find_by_donation(connection, name("org", "x"), donation) is None
        key = bytes(32)
        assert await erasure.find_by_email(connection, organization, person.email, key) is None


async def test_nobody_is_forgotten_under_another_organization_or_without_a_code(
    database: Database, journal: Journal
) -> None:
    person, other = await Person(database).arrive(gifts=1), await Person(database).arrive(gifts=0)
    async with database.connect("operations") as connection:
        with pytest.raises(ErasureError, match="has no donor"):
            await erase(connection, journal, other.organization, person.profile)
        with pytest.raises(ErasureError, match="a basis is a code"):
            await erase(connection, journal, person.organization, person.profile, basis="She asked")
    assert journal.read() == []
    assert (await person.traces())["openings"] == 1


@pytest.mark.parametrize("role", ["edge", "payments", "notifications", "bookkeeping", "relay"])
async def test_only_operators_may_forget(database: Database, role: str) -> None:
    async with database.connect(role) as connection:
        for call in (
            "ledger.forget_donor('o', 'p', '{}', 'gdpr-17', now())",
            "edge.forget_donor('o', 'p', '{}')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT {call}")


async def test_a_restored_backup_forgets_again_even_when_only_the_edge_was_restored(
    database: Database, journal: Journal
) -> None:
    person = await Person(database).arrive(gifts=2)
    await person.erase(journal)
    await person.remember()  # The profile's table came back, the ledger's did not.
    assert await person.forget_again(journal) == 1
    assert await person.traces() == NOTHING
    assert await person.forget_again(journal) == 0


async def test_a_late_request_of_a_forgotten_donor_is_recorded_without_its_opening(
    database: Database, journal: Journal
) -> None:
    person = await Person(database).arrive(gifts=1)
    await person.erase(journal)
    late = person.gift(7)
    somebody_else = making.donation(person.organization, f"{person.mark}/somebody else")
    decision = await database.record(late, somebody_else)
    assert len(decision.entries) == 2
    rows = await database.fetch(
        "SELECT entry_id FROM ledger.openings WHERE organization = $1", person.organization
    )
    assert [row["entry_id"] for row in rows] == [somebody_else.id]
    assert await person.pending() == {person.gift(0).id, late.id}


async def test_an_erasure_waits_for_the_append_that_stores_an_opening_and_deletes_it(
    database: Database, journal: Journal
) -> None:
    person = await Person(database).arrive(gifts=1)
    await person.promise(person.gift(1))
    async with database.connect("bookkeeping") as writer:
        held = await pen.take(writer, 0, making.ORIGIN, "test")
        async with writer.transaction():
            await append(writer, held, [person.gift(1)])
            erasing = asyncio.create_task(person.erase(journal))
            await until(lambda: _somebody_waits(database), "the erasure waits")
        erased = await erasing
    assert erased.entries == 2
    assert await person.traces() == NOTHING
    assert await person.pending() == {person.gift(0).id, person.gift(1).id}


async def test_an_append_waits_for_an_erasure_and_stores_no_opening(database: Database) -> None:
    person = await Person(database).arrive(gifts=0)
    async with database.connect("operations") as eraser:
        async with eraser.transaction():
            await ledger.forget(eraser, person.organization, person.profile, [], "code", MOMENT)
            recording = asyncio.create_task(database.record(person.gift(1)))
            await until(lambda: _somebody_waits(database), "the writer waits")
        await recording
    assert (await person.traces())["openings"] == 0
    assert await person.pending() == {person.gift(1).id}


async def _somebody_waits(database: Database) -> bool:
    return bool(
        await database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
    )


async def test_that_somebody_was_forgotten_cannot_be_taken_back(
    database: Database, journal: Journal
) -> None:
    person = await Person(database).arrive(gifts=0)
    await person.erase(journal)
    for statement in (
        "DELETE FROM ledger.forgotten WHERE organization = $1",
        "UPDATE ledger.forgotten SET basis = 'x' WHERE organization = $1",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await database.fetch(statement, person.organization)
    assert json.loads(journal.path.read_text())["profile"] == person.profile


async def test_the_pages_of_deleted_keys_are_cleaned_at_once(
    database: Database, journal: Journal
) -> None:
    person = await Person(database).arrive(gifts=0)
    dead = "SELECT sum(pg_stat_get_vacuum_count(oid))::int FROM pg_class WHERE relname ~ $1"
    before = await database.value(dead, "^donor_profiles_[0-9]$")
    await person.erase(journal)

    async def cleaned() -> bool:
        return bool(await database.value(dead, "^donor_profiles_[0-9]$") > before)

    await until(cleaned, "the table was vacuumed")
