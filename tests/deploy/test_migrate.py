"""The migrations on a real database: applied once, and who may do what afterwards."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.identifiers import random_id
from deploy.postgres import migrate
from tests.databases import prepare, role_dsn
from tests.engines import LoopThread
from topics.registry import INBOX_RETENTION_DAYS

WORKERS = (
    "accounts",
    "donations",
    "payments",
    "fees",
    "payouts",
    "notifications",
    "permissions",
    "events",
)
#: Entries and the heads of their chains are in the log that everybody reads.
PUBLIC = {"ledger.chains", "ledger.entries"}
DENIED = asyncpg.InsufficientPrivilegeError


@pytest.fixture(scope="module")
def migrated(postgres_database: Callable[[], str], engine_loop: LoopThread) -> str:
    dsn = postgres_database()
    engine_loop.run(prepare(dsn))
    return dsn


async def as_role(superuser: str, role: str, sql: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(role_dsn(superuser, role))
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()


async def test_two_runners_at_once_apply_each_file_once(
    postgres_database: Callable[[], str],
) -> None:
    dsn = await asyncio.to_thread(postgres_database)
    counts = await asyncio.gather(migrate.migrate(dsn), migrate.migrate(dsn))
    assert sorted(counts) == [0, len(list(migrate.MIGRATIONS.glob("*.sql")))]


async def test_a_file_that_meets_another_database_at_the_same_roles_is_applied_again(
    postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dsn = await asyncio.to_thread(postgres_database)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SEQUENCE tries")  # What it counts is not rolled back.
    await connection.close()
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)
    meets = "IF nextval('tries') < {} THEN RAISE 'met' USING ERRCODE = 'serialization_failure'"
    body = f"CREATE TABLE one (); DO $$ BEGIN {meets}; END IF; END $$;"
    (tmp_path / "0001.sql").write_text(body.format(3))
    assert await migrate.migrate(dsn) == 1
    (tmp_path / "0002.sql").write_text(body.replace("one", "two").format(1_000))
    with pytest.raises(asyncpg.SerializationError):
        await migrate.migrate(dsn)


async def test_a_changed_file_is_refused_and_a_broken_one_leaves_nothing(
    postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dsn = await asyncio.to_thread(postgres_database)
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)
    (tmp_path / "0001.sql").write_text("CREATE TABLE one ();")
    assert await migrate.migrate(dsn) == 1
    (tmp_path / "0001.sql").write_text("CREATE TABLE one (x int);")
    with pytest.raises(migrate.MigrationChangedError, match=r"0001\.sql"):
        await migrate.migrate(dsn)
    (tmp_path / "0001.sql").write_text("CREATE TABLE one ();")
    (tmp_path / "0002.sql").write_text("CREATE TABLE two (); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(dsn)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT to_regclass('two')") is None
    await connection.close()


@pytest.mark.parametrize("role", migrate.ROLES)
async def test_no_role_reaches_outside_its_grants(migrated: str, role: str) -> None:
    for sql in (
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "SELECT * FROM public.migrations",
        "SELECT * FROM pg_authid",
        "CREATE ROLE mine",
    ):
        with pytest.raises(DENIED):
            await as_role(migrated, role, sql)


@pytest.mark.parametrize("role", WORKERS)
async def test_a_worker_queues_and_remembers_but_does_not_relay(migrated: str, role: str) -> None:
    queue = "INSERT INTO messages.outbox (topic, key, headers, value) VALUES ('t', '', '[]', 'v')"
    await as_role(migrated, role, queue)
    remember = "INSERT INTO messages.inbox (id, worker) VALUES ($1, $2)"
    await as_role(migrated, role, remember, random_id(datetime.now(UTC)), role)
    for sql in (
        "SELECT * FROM messages.outbox",
        "DELETE FROM messages.outbox",
        "DELETE FROM messages.inbox",
        "SELECT messages.tend_inbox(current_date, 1, 1)",
        "SELECT * FROM edge.requests",
        "SELECT * FROM edge.donor_profiles",
    ):
        with pytest.raises(DENIED):
            await as_role(migrated, role, sql)


async def test_the_outbox_refuses_what_kafka_would(migrated: str) -> None:
    sql = (
        "INSERT INTO messages.outbox (topic, partition, key, headers, value)"
        " VALUES ('t', $1, '', '[]', $2)"
    )
    for partition, value in ((-1, b""), (0, b"x" * 900_001)):
        with pytest.raises(asyncpg.CheckViolationError):
            await as_role(migrated, "edge", sql, partition, value)


async def test_the_relay_tends_the_inbox_and_old_days_go_whole(migrated: str) -> None:
    today = datetime.now(UTC).date()
    tend = "SELECT messages.tend_inbox($1, 7, $2)"
    await as_role(migrated, "relay", tend, today, INBOX_RETENTION_DAYS)
    days = await partitions(migrated)
    assert {today + timedelta(days=number) for number in range(-1, 8)} <= days
    now = random_id(datetime.now(UTC))
    old = random_id(datetime.now(UTC) - timedelta(days=200))
    sql = (
        "INSERT INTO messages.inbox (id, worker) VALUES ($1, 'fees')"
        " RETURNING tableoid::regclass::text"
    )
    assert (await as_role(migrated, "fees", sql, now))[0][0] == f"messages.inbox_{today:%Y%m%d}"
    assert (await as_role(migrated, "fees", sql, old))[0][0] == "messages.inbox_other"
    later = today + timedelta(days=INBOX_RETENTION_DAYS + 1)
    await as_role(migrated, "relay", tend, later, INBOX_RETENTION_DAYS)
    assert min(await partitions(migrated)) == today + timedelta(days=1)
    left = await as_role(migrated, "fees", "SELECT id FROM messages.inbox WHERE worker = 'fees'")
    assert old in {row["id"] for row in left} and now not in {row["id"] for row in left}


async def partitions(superuser: str) -> set[date]:
    connection = await asyncpg.connect(superuser)
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relname ~ '^inbox_[0-9]{8}$' AND relkind = 'r'"
    )
    await connection.close()
    return {datetime.strptime(row["relname"][6:], "%Y%m%d").date() for row in rows}


async def test_the_edge_writes_within_its_scope_only(migrated: str) -> None:
    edge = await asyncpg.connect(role_dsn(migrated, "edge"))
    insert = "INSERT INTO edge.organizations (id, slug, name) VALUES ($1, $2, 'A name')"
    for name in ("org_a", "org_b"):
        async with edge.transaction():
            await edge.execute("SELECT set_config('app.organizations', $1, true)", name)
            await edge.execute(insert, name, name.replace("_", "-"))
            await edge.execute(
                "INSERT INTO edge.donor_profiles VALUES ('prof', $1, $2, '\\x00')", name, b"p" * 32
            )
    assert await edge.fetch("SELECT * FROM edge.donor_profiles") == [], "out of scope, unseen"
    with pytest.raises(DENIED, match="row-level security"):
        async with edge.transaction():
            await edge.execute("SELECT set_config('app.organizations', 'org_a', true)")
            await edge.execute(insert, "org_c", "org-c")
    async with edge.transaction():
        await edge.execute("SELECT set_config('app.organizations', 'org_a', true)")
        seen = await edge.fetch("SELECT organization FROM edge.donor_profiles")
        assert [row["organization"] for row in seen] == ["org_a"]
        assert await edge.execute("UPDATE edge.organizations SET name = 'New'") == "UPDATE 1"
        assert len(await edge.fetch("SELECT id FROM read.donor_keys")) == 1
    assert len(await edge.fetch("SELECT id FROM edge.organizations")) == 2, "lookup sees all"
    await edge.close()


async def test_tenant_tables_force_row_level_security(migrated: str) -> None:
    connection = await asyncpg.connect(migrated)
    rows = await connection.fetch(
        "SELECT c.oid::regclass::text AS name, relrowsecurity AND relforcerowsecurity AS forced"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization'"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0"
        " AND c.relnamespace::regnamespace::text NOT IN ('messages', 'pg_catalog')"
    )
    await connection.close()
    assert {row["name"] for row in rows if not row["forced"]} == PUBLIC
    assert len(rows) > len(PUBLIC)
