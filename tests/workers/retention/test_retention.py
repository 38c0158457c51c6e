"""Retention on the real database: with a moved clock exactly what is due goes; nothing is amiss."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.retention_page import PATH
from tests.deploy.erasing import Person
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.making import name as made_up
from workers.retention.journal import Journal
from workers.retention.schedule import Retention
from workers.retention.table import IMPERSONAL, OWN, PERSONAL, WITHOUT_GIFTS, page

pytestmark = pytest.mark.asyncio

#: The process's clock in these tests: years ahead of the real one.
MOVED = datetime.now(UTC) + timedelta(days=4000)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def webhook(database: Database, name: str, at: datetime) -> None:
    await database.fetch(
        "INSERT INTO edge.stripe_events (id, event_type, disposition, body, received_at)"
        " VALUES ($1, 'charge.updated', 'passed_on', 'x', $2)",
        *(name, at),
    )


async def mail(database: Database, name: str, at: datetime) -> None:
    await database.fetch(
        "INSERT INTO notifications.mails (organization, entry_id, outcome, settled_at)"
        " VALUES ('org_1', $1, 'sent', $2)",
        *(name, at),
    )


async def dead_letter(database: Database, name: str, at: datetime) -> None:
    for disposition, retry in (("dead", None), ("parked", at)):
        await database.fetch(
            "INSERT INTO messages.set_aside (worker, disposition, topic, kafka_partition,"
            " kafka_offset, key, headers, code, reason, next_attempt_at, set_aside_at)"
            " VALUES ($1, $2, 'a.b.v1', 0, $3, '', '[]', 'c', $1, $4, $5)",
            *(name, disposition, disposition == "dead", retry, at),
        )


async def session(database: Database, name: str, at: datetime) -> None:
    """One that ended by its age, one that was ended."""
    person = "usr_" + "0" * 26
    await database.fetch(
        "INSERT INTO edge.people (id, identity_hash, wrapped_key) VALUES ($1, sha256('p'), 'k')"
        " ON CONFLICT DO NOTHING",
        person,
    )
    for number, expires, revoked in ((0, at, None), (1, at + timedelta(days=9), at)):
        await database.fetch(
            "INSERT INTO edge.sessions (id, person, secret_hash, is_strong, created_at, seen_at,"
            " expires_at, revoked_at)"
            " VALUES ($1, $2, sha256($1::text::bytea), false, $3, $3, $4, $5)",
            *(f"ses_{number}{name:0>25}", person, at - timedelta(days=30), expires, revoked),
        )


async def erasure_request(database: Database, name: str, at: datetime) -> None:
    for number, done in ((0, at), (1, None)):
        await database.fetch(
            "INSERT INTO edge.erasure_requests (id, organization, profile, basis, requested_by,"
            " requested_at, done_at) VALUES ($1, 'org_1', $1, 'gdpr-17', 'usr_1', $2, $3)",
            *(f"{name}{number}", at - timedelta(days=900), done),
        )


async def person_erasure(database: Database, name: str, at: datetime) -> None:
    for number, done in ((0, at), (1, None)):
        person = made_up("usr", f"{name}{number}")
        await database.fetch(
            "INSERT INTO edge.people (id, identity_hash, wrapped_key)"
            " VALUES ($1, sha256($1::text::bytea), 'k')",
            person,
        )
        await database.fetch(
            "INSERT INTO edge.person_erasures (id, person, basis, requested_at, done_at)"
            " VALUES ($1, $2, 'gdpr-17', $3, $4)",
            *(f"era_{person[4:]}", person, at - timedelta(days=900), done),
        )


async def invitation(database: Database, name: str, at: datetime) -> None:
    """One that nobody took in time, one that was taken early."""
    organization = "org_invites"
    await database.fetch(
        "INSERT INTO edge.organizations (id, slug, name) VALUES ($1, 'invites', 'Invites')"
        " ON CONFLICT DO NOTHING",
        organization,
    )
    for number, status, expires, by in (
        (0, "open", at, None),
        (1, "accepted", at + timedelta(days=9), "usr_1"),
    ):
        await database.fetch(
            "INSERT INTO edge.invitations (id, organization, role, token_hash, email_hash, status,"
            " invited_by, accepted_by, expires_at, created_at, updated_at)"
            " VALUES ($1, $2, 'viewer',"
            " sha256($1::text::bytea), sha256($1::text::bytea), $3, 'usr_1', $4, $5, $6, $6)",
            *(f"inv_{name}{number}", organization, status, by, expires, at),
        )


#: How a row of each table comes to be, and how many of them may be due.
ROWS = {
    "edge.stripe_events": (webhook, 1),
    "notifications.mails": (mail, 1),
    "messages.set_aside": (dead_letter, 1),
    "edge.sessions": (session, 2),
    "edge.erasure_requests": (erasure_request, 1),
    "edge.person_erasures": (person_erasure, 1),
    "edge.invitations": (invitation, 2),
}


def retention(database: Database, folder: Path) -> Retention:
    return Retention(database.role_dsn("retention"), Journal(folder / "journal"))


@pytest.mark.parametrize("rule", OWN, ids=lambda rule: rule.table)
async def test_what_is_due_goes_and_nothing_else(
    database: Database, tmp_path: Path, rule: Any
) -> None:
    make, due = ROWS[rule.table]
    assert rule.kept is not None
    await make(database, "old", MOVED - rule.kept - SECOND)
    await make(database, "new", MOVED - rule.kept + SECOND)
    count = f"SELECT count(*) FROM {rule.table}"
    before = await database.value(count)
    async with database.connect("retention") as connection:
        deleted = await retention(database, tmp_path).delete_due(connection, MOVED)
        assert deleted[rule.table] == due
        assert await database.value(count) == before - due
        again = await retention(database, tmp_path).delete_due(connection, MOVED)
        assert set(again.values()) == {0}
        await retention(database, tmp_path).delete_due(connection, MOVED + 2 * SECOND)
    assert await database.value(count) == before - 2 * due


async def test_a_donor_of_whom_no_gift_came_is_forgotten_after_a_year(
    database: Database, tmp_path: Path
) -> None:
    assert WITHOUT_GIFTS.kept is not None
    people = {}
    for status in ("expired", "failed", "recorded", "pending", None):
        person = await Person(database).arrive(gifts=0)
        people[status] = person
        gift = f"don_{person.mark}"
        await database.fetch(
            "INSERT INTO edge.donor_gifts (organization, profile, donation) VALUES ($1, $2, $3)",
            *(person.organization, person.profile, gift),
        )
        if status is not None:
            await database.fetch(
                "INSERT INTO donations.donations (organization, id, status, updated_at)"
                " VALUES ($1, $2, $3::text::donations.status, now())",
                *(person.organization, gift, status),
            )
    journal = Journal(tmp_path / "journal")
    async with database.connect("retention") as connection:
        early = datetime.now(UTC) + WITHOUT_GIFTS.kept - timedelta(hours=1)
        assert (await retention(database, tmp_path).delete_due(connection, early))[
            WITHOUT_GIFTS.table
        ] == 0
        late = datetime.now(UTC) + WITHOUT_GIFTS.kept + timedelta(hours=1)
        assert (await retention(database, tmp_path).delete_due(connection, late))[
            WITHOUT_GIFTS.table
        ] == 2
    gone = {people["expired"].profile, people["failed"].profile}
    assert {one.profile for one in journal.read()} == gone
    left = await database.fetch("SELECT id FROM edge.donor_profiles")
    assert {row["id"] for row in left} == {one.profile for one in people.values()} - gone


async def test_whom_the_edge_was_asked_to_forget_is_forgotten_once(
    database: Database, tmp_path: Path
) -> None:
    person = await Person(database).arrive(gifts=2)
    for profile in (person.profile, "prof_nobody"):
        await database.fetch(
            "INSERT INTO edge.erasure_requests (id, organization, profile, basis, requested_by)"
            " VALUES ($1, $2, $1, 'gdpr-17', 'usr_1')",
            *(profile, person.organization),
        )
    async with database.connect("retention") as connection:
        assert await retention(database, tmp_path).forget(connection) >= 2
        assert await retention(database, tmp_path).forget(connection) == 0
    journal = Journal(tmp_path / "journal").read()
    assert [one.profile for one in journal if one.organization == person.organization] == [
        person.profile
    ]
    assert (
        await database.fetch("SELECT FROM edge.donor_profiles WHERE id = $1", person.profile) == []
    )


async def test_every_table_with_a_time_is_in_the_written_table(database: Database) -> None:
    rows = await database.fetch(
        "SELECT DISTINCT c.oid::regclass::text AS name FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype)"
    )
    there = {row["name"] if "." in row["name"] else f"public.{row['name']}" for row in rows}
    listed = {rule.table for rule in PERSONAL}
    assert there - listed - IMPERSONAL == set(), (
        "say how long they are kept, or that they name none"
    )
    assert not listed & IMPERSONAL
    existing = await database.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE relkind IN ('r', 'p')"
    )
    names = {row["name"] if "." in row["name"] else f"public.{row['name']}" for row in existing}
    assert (listed | IMPERSONAL) - names == set(), "these tables are gone"


async def test_every_rule_of_the_process_is_tried_here_and_the_page_is_current() -> None:
    assert set(ROWS) == {rule.table for rule in OWN}
    assert PATH.read_text() == page(), "run `make generate`"


async def test_the_audit_log_is_kept_as_long_as_the_table_says(database: Database) -> None:
    [rule] = [rule for rule in PERSONAL if rule.table == "audit.records"]
    kept = await database.value("SELECT extract(year FROM audit.kept())::integer")
    assert rule.kept == timedelta(days=365 * kept)
