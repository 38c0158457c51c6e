"""People and sessions in PostgreSQL: whose rows the edge writes, what is left of somebody."""

import asyncpg
import pytest

from edge.database.pool import Database
from edge.people import store
from edge.people.models import Profile
from edge.people.service import Persons
from tests.edge.stand import Stand

pytestmark = pytest.mark.asyncio
ISSUER = "https://login.example.org"


@pytest.fixture
async def persons(stand: Stand) -> Persons:
    database = Database(stand.settings.postgres)
    await database.open()
    return Persons(database, stand.settings.master_key)


async def test_an_identity_is_of_one_issuer(persons: Persons) -> None:
    one = await persons.known(ISSUER, "a")
    assert await persons.known(ISSUER, "a") == one
    assert (await persons.known(ISSUER + "/", "a")).id != one.id
    assert (await persons.known(ISSUER, "b")).id != one.id


async def test_what_the_provider_says_is_kept_and_replaced(persons: Persons, stand: Stand) -> None:
    person = await persons.known(ISSUER, "described")
    await persons.describe(person, Profile("Ada", "Ada@Example.org"))
    known = await persons.find(person.id)
    assert known is not None
    assert persons.profile(known) == Profile("Ada", "Ada@Example.org")
    async with stand.edge_connection() as connection:
        found = await store.by_email(connection, persons.email_hash(" ada@example.ORG"))
        assert found == [person.id]
        await persons.describe(known, Profile("Ada", None))
        assert await store.by_email(connection, persons.email_hash("ada@example.org")) == []


async def test_a_profile_does_not_open_under_anothers_name(persons: Persons) -> None:
    one, two = await persons.known(ISSUER, "one"), await persons.known(ISSUER, "two")
    sealed = persons.seal(one, b"of one")
    with pytest.raises(ValueError, match="does not belong"):
        persons.open(two, sealed)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE edge.people SET profile = NULL WHERE id = $1",
        "UPDATE edge.sessions SET revoked_at = NULL WHERE person = $1",
        "DELETE FROM edge.sessions WHERE person = $1",
    ],
)
@pytest.mark.parametrize("scope", ["", "usr_" + "0" * 26])
async def test_nothing_of_another_person_is_written(
    persons: Persons, stand: Stand, statement: str, scope: str
) -> None:
    person = await persons.known(ISSUER, "victim")
    await persons.describe(person, Profile("Victim"))
    await stand.fetch(
        "INSERT INTO edge.sessions VALUES ('ses_' || substr(md5(random()::text), 1, 26), $1,"
        " sha256(uuid_send(gen_random_uuid())), now(), false, NULL, now(), now(),"
        " now() + interval '1 day')",
        person.id,
    )
    async with stand.edge_connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.person', $1, true)", scope)
        assert (await connection.execute(statement, person.id)).endswith(" 0")


async def test_a_session_is_made_for_the_person_in_scope_only(
    persons: Persons, stand: Stand
) -> None:
    person = await persons.known(ISSUER, "victim")
    async with stand.edge_connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.person', 'usr_other', true)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO edge.sessions VALUES ('ses_00000000000000000000000000', $1,"
                " sha256('x'), now(), true, NULL, now(), now(), now() + interval '1 day')",
                person.id,
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE edge.people SET identity_hash = sha256('x')",
        "UPDATE edge.people SET wrapped_key = NULL",
        "DELETE FROM edge.people",
        "UPDATE edge.sessions SET secret_hash = sha256('x')",
        "UPDATE edge.sessions SET is_strong = true",
        "UPDATE edge.sessions SET authenticated_at = now()",
        "UPDATE edge.sessions SET expires_at = now() + interval '1 year'",
        "UPDATE edge.sessions SET person = 'usr_x'",
    ],
)
async def test_what_a_person_is_and_how_they_signed_in_never_changes(
    stand: Stand, statement: str
) -> None:
    async with stand.edge_connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


@pytest.mark.parametrize("role", ["payments", "notifications", "donations", "relay", "books"])
@pytest.mark.parametrize("table", ["people", "sessions"])
async def test_workers_know_no_people(stand: Stand, role: str, table: str) -> None:
    [row] = await stand.fetch(
        "SELECT has_table_privilege($1, $2, 'SELECT') AS may", f"amply_{role}", f"edge.{table}"
    )
    assert not row["may"]


async def test_a_forgotten_person_leaves_an_id_and_nothing_else(
    persons: Persons, stand: Stand
) -> None:
    person = await persons.known(ISSUER, "forgotten")
    await persons.describe(person, Profile("Ada", "ada@example.org"))
    for was_known in (True, False):
        [row] = await stand.fetch("SELECT edge.forget_person($1) AS done", person.id)
        assert row["done"] is was_known
    assert await persons.find(person.id) is None
    assert (await persons.known(ISSUER, "forgotten")).id != person.id
