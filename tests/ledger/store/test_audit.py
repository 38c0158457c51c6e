"""The audit log on the real database: its places, who may do what, tampering, seven years."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from deploy.postgres.migrate import ROLES
from ledger.audit import EMPTY, AuditError, Deed, Head, chain
from ledger.audit_export import Verified, verify
from ledger.store import audit, audit_checking
from ledger.store.audit import FencedError
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.making import name
from tests.ledger.test_audit import KEY, deed

pytestmark = pytest.mark.asyncio

A, B = name("org", "audit-a"), name("org", "audit-b")
NOW = datetime.now(UTC)
DENIED = asyncpg.InsufficientPrivilegeError
SCOPE = "SELECT set_config('app.organizations', $1, true)"


@pytest.fixture(scope="module")
def filled_once(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    """Five records of one organization and one of another, that no test changes."""
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    engine_loop.run(filled(made))
    return made


@asynccontextmanager
async def scoped(database: Database, role: str, *organizations: str) -> AsyncIterator[Any]:
    async with (
        database.connect(role) as connection,
        connection.transaction(isolation="repeatable_read" if role == "operations" else None),
    ):
        await connection.execute(SCOPE, ",".join(organizations))
        yield connection


async def write(database: Database, *deeds: Deed) -> None:
    async with scoped(database, "edge", *{one.organization for one in deeds}) as connection:
        await audit.add(connection, deeds)


async def chained(database: Database) -> int:
    async with database.connect("audit") as connection:
        return await audit.advance(connection, await audit.take(connection), 1000)


async def check(database: Database, organization: str = A, known: Head | None = None) -> Verified:
    async with scoped(database, "operations", organization) as connection:
        return await audit_checking.check(connection, organization, KEY, known)


async def filled(database: Database, count: int = 5) -> None:
    await write(database, *(deed(number, organization=A) for number in range(count)))
    await write(database, deed(9, organization=B))
    assert await chained(database) == count + 1


async def test_rows_get_their_places_once_and_verify(database: Database) -> None:
    await filled(database)
    assert (await chained(database), await database.fetch("SELECT FROM audit.pending")) == (0, [])
    told = await check(database)
    assert (told.records, told.opened, told.head.seq) == (5, 5, 4)
    await write(database, deed(6, organization=A))
    await chained(database)
    later = await check(database, known=told.head)
    assert later.records == 6
    async with scoped(database, "operations", A) as connection:
        lines = [line async for line in audit_checking.copy(connection, A, KEY)]
    assert verify(lines, told.head) == later


async def test_the_writing_transaction_takes_its_row_with_it(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with scoped(database, "edge", A) as connection:
            await audit.add(connection, [deed(1, organization=A)])
            raise ZeroDivisionError
    assert await chained(database) == 0


async def test_who_was_overtaken_chains_nothing(database: Database) -> None:
    await write(database, deed(1, organization=A))
    async with database.connect("audit") as old, database.connect("audit") as new:
        before = await audit.take(old)
        after = await audit.take(new)
        with pytest.raises(FencedError):
            await audit.advance(old, before, 10)
        assert await audit.advance(new, after, 10) == 1


TAMPERINGS = {
    "changed": (
        "UPDATE audit.records SET bytes = b.new, hash = sha256('\\x00'::bytea || b.new),"
        " action = 'createPayout' FROM (SELECT"
        " convert_to(replace(convert_from(bytes, 'UTF8'), 'createRefund', 'createPayout'), 'UTF8')"
        " AS new FROM audit.records WHERE organization = $1 AND seq = 2) AS b"
        " WHERE organization = $1 AND seq = 2",
        3,  # Whose prev is another record's hash.
    ),
    "column": ("UPDATE audit.records SET actor = 'x' WHERE organization = $1 AND seq = 2", 2),
    "removed": ("DELETE FROM audit.records WHERE organization = $1 AND seq = 2", 2),
    "cut": ("DELETE FROM audit.records WHERE organization = $1 AND seq = 4", 4),
    "inserted": (
        "INSERT INTO audit.records SELECT organization, seq, recorded_at + interval '1 second',"
        " actor, action, resource, bytes, hash FROM audit.records"
        " WHERE organization = $1 AND seq = 2",
        3,
    ),
    "opening": (
        "UPDATE audit.openings SET client = (SELECT client FROM audit.openings"
        " WHERE organization = $1 AND seq = 1) WHERE organization = $1 AND seq = 2",
        2,
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_what_a_superuser_did_past_all_triggers_is_found(
    filled_once: Database, tampering: str
) -> None:
    organization = name("org", tampering)
    await write(filled_once, *(deed(number, organization=organization) for number in range(5)))
    await chained(filled_once)
    assert (await check(filled_once, organization)).records == 5
    sql, seq = TAMPERINGS[tampering]
    async with filled_once.connect() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(sql, organization)
    with pytest.raises(AuditError) as error:
        await check(filled_once, organization)
    assert error.value.seq == seq
    await check(filled_once, B)


async def test_nobody_changes_or_removes_records(filled_once: Database) -> None:
    database = filled_once
    [month] = await database.fetch(
        "SELECT tableoid::regclass::text AS name FROM audit.records LIMIT 1"
    )
    for table in ("audit.records", month["name"]):
        for sql in (f"UPDATE {table} SET seq = 7", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await database.fetch(sql)
            for role in ROLES:
                async with database.connect(role) as connection:
                    with pytest.raises(DENIED):
                        await connection.execute(sql)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.fetch("UPDATE audit.chains SET seq = 1")


async def test_the_log_is_nobodys_but_the_chainers_and_the_operators(
    filled_once: Database,
) -> None:
    for role in sorted(set(ROLES) - {"audit", "operations"}):
        async with filled_once.connect(role) as connection:
            signs = ("records", "chains") if role == "checkpoints" else ()
            for table in {"pending", "records", "openings", "chains", "chainer"} - set(signs):
                with pytest.raises(DENIED):
                    await connection.execute(f"SELECT * FROM audit.{table}")


async def test_the_edge_writes_and_reads_within_its_scope_only(filled_once: Database) -> None:
    database = filled_once
    with pytest.raises(DENIED):
        async with scoped(database, "edge", B) as connection:
            await audit.add(connection, [deed(1, organization=A)])
    async with scoped(database, "edge", B) as connection:
        await audit.add(connection, [deed(1, organization="platform")])
        rows = await connection.fetch("SELECT organization FROM read.audit_records")
        assert {row["organization"] for row in rows} == {B}
        assert (
            await connection.fetch("SELECT FROM read.audit_openings WHERE organization = $1", A)
            == []
        )
        assert (
            await connection.fetch("SELECT FROM read.audit_chains WHERE organization = $1", A) == []
        )


async def test_a_chain_cannot_skip_or_repeat(filled_once: Database) -> None:
    async with filled_once.connect("audit") as connection:
        for seq in (3, 7):
            records, _ = chain([deed(1, organization=A)], {A: Head(seq - 1, b"\1" * 32)}, NOW)
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(audit.RECORD, *zip(*map(audit._row, records), strict=True))


async def test_what_is_personal_is_forgotten_and_the_chain_still_verifies(
    database: Database,
) -> None:
    person, resource = name("usr", 1), name("prof", 1)
    await write(
        database,
        deed(0, organization=A, actor=person),
        deed(1, organization=A, resource=resource),
        deed(2, organization=A),
        deed(3, organization=B, actor=person),
        deed(4, organization=B, resource=resource),
    )
    await chained(database)
    await write(database, deed(5, organization=A, actor=person))
    head = (await check(database)).head
    async with database.connect("operations") as connection, connection.transaction():
        await connection.execute(SCOPE, A)
        count = await audit.forget(connection, actors=[person], resources=[resource])
    # The person's everywhere, what was done to the resource in this organization only.
    assert count == 4
    await chained(database)
    assert (await check(database, known=head)).opened == 1
    assert (await check(database, B)).opened == 1


async def test_a_month_is_dropped_after_seven_years_and_the_rest_verifies(
    database: Database,
) -> None:
    await age(database, A, datetime.now(UTC) - timedelta(days=7 * 366 + 32), 3)
    await age(database, A, datetime.now(UTC) - timedelta(days=7 * 365 - 40), 2)
    await write(database, deed(8, organization=A))
    await chained(database)
    assert (await check(database)).records == 6
    async with database.connect("audit") as connection:
        assert await audit.tend(connection) == 1
        assert await audit.tend(connection) == 0
    told = await check(database)
    assert (told.records, told.head.seq) == (3, 5)
    async with scoped(database, "operations", A) as connection:
        assert verify([line async for line in audit_checking.copy(connection, A, KEY)]) == told
        assert (await audit.ends(connection, A))[0].seq == 2
    openings = await database.fetch("SELECT seq FROM audit.openings ORDER BY seq")
    assert [row["seq"] for row in openings] == [5]


async def age(database: Database, organization: str, moment: datetime, count: int) -> None:
    """Records of another month, as they were chained then."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    async with database.connect() as connection:
        await connection.execute(
            f"CREATE TABLE audit.records_{first:%Y%m} PARTITION OF audit.records"
            f" FOR VALUES FROM ('{first}') TO ('{after}')"
        )
        row = await connection.fetchrow(
            "SELECT seq, head FROM audit.chains WHERE organization = $1", organization
        )
        head = Head(row["seq"], row["head"]) if row else EMPTY
        deeds = [deed(number, organization=organization) for number in range(count)]
        records, moved = chain(deeds, {organization: head}, moment)
        async with connection.transaction():
            end = moved[organization]
            await connection.execute(audit.MOVE_HEADS, [organization], [end.seq], [end.hash])
            await connection.execute(audit.RECORD, *zip(*map(audit._row, records), strict=True))
