"""What the database refuses, whoever asks and whatever our own code believes."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from deploy.postgres.migrate import ROLES
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.making import NOON, donation, genesis, name

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
INSERT = """
    INSERT INTO ledger.entries (log, index, organization, seq, id, kind, bytes, leaf_hash,
        donor_seal, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
COLUMNS = (
    *("log", "index", "organization", "seq", "id", "kind", "bytes", "leaf_hash"),
    *("donor_seal", "recorded_at"),
)
GROW = "UPDATE ledger.writers SET size = size + $1, frontier = $2, last_time = now() WHERE log = 0"
REFUSALS = (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)
#: Tables of facts, each with one of its columns.
FACTS = {
    "ledger.entries": "log",
    "ledger.checkpoints": "log",
    "ledger.publications": "log",
    "ledger.forgotten": "organization",
}


def row(**changes: Any) -> tuple[Any, ...]:
    data = changes.get("bytes", b"{}")
    values: dict[str, Any] = {
        "log": 0,
        "index": 3,
        "organization": A,
        "seq": 1,
        "id": name("ent", "new"),
        "kind": "donation",
        "bytes": data,
        "leaf_hash": sha256(b"\0" + data).digest(),
        "donor_seal": None,
        "recorded_at": NOON,
    }
    return tuple((values | changes).values())


@pytest.fixture(scope="module")
def three(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    """Three entries that no test of this module adds to."""
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    engine_loop.run(made.record(genesis(PLATFORM), genesis(A), donation(A, 1)))
    return made


#: After entries 0 to 2, of which A has seq 0 and 1.
IMPOSSIBLE = {
    "a gap in the log": row(index=4, seq=2),
    "an index twice": row(index=2, seq=2),
    "a gap in a chain": row(seq=3),
    "a seq twice": row(seq=1),
    "a second genesis": row(seq=2, kind="genesis"),
    "a chain without a genesis": row(organization=B, seq=0),
    "an id twice": row(seq=2, id=name("ent", 1)),
    "a hash of other bytes": row(seq=2, leaf_hash=sha256(b"other").digest()),
    "an unknown log": row(log=7, index=0, seq=2),
    "a seal twice": row(seq=2, donor_seal=sha256(b"1").digest()),
}


def money(*amounts: int, fund: str = "wells") -> bytes:
    common = {"account": "Assets:Bank", "currency": "EUR", "fund": name("fund", fund)}
    lines = [{**common, "amount": str(amount)} for amount in amounts]
    return json.dumps({"money": {"postings": lines}}).encode()


#: Batches of two entries whose balances, taken together, would sum to zero.
UNBALANCED = {
    "an entry that another one evens out": (money(5, -4), money(-1)),
    "what is sealed, as what is shown": (money(5, -5), money(3)),
}


@pytest.mark.parametrize("what", UNBALANCED)
async def test_each_entry_balances_by_itself(three: Database, what: str) -> None:
    async with three.connect("bookkeeping") as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="do not sum to zero") as caught:
            async with connection.transaction():
                await connection.execute(GROW, 2, bytes(64))
                rows = [
                    row(index=3 + n, seq=2 + n, id=name("ent", n + 100), bytes=data)
                    for n, data in enumerate(UNBALANCED[what])
                ]
                await connection.copy_records_to_table(
                    "entries", schema_name="ledger", columns=COLUMNS, records=rows
                )
        assert caught.value.constraint_name == "postings_balance"


async def test_sealed_money_balances_too(three: Database) -> None:
    insert = "INSERT INTO ledger.openings VALUES ($1, $2, 'money', $3, NULL, NULL)"
    opening = b'{"salt":"","value":%b}'
    async with three.connect("bookkeeping") as connection:
        for amounts, fits in (((5, -4), False), ((5, -5), True), ((7, -5, -2), True)):
            value = json.dumps(json.loads(money(*amounts))["money"]).encode()
            transaction = connection.transaction()
            await transaction.start()
            values = (A, name("ent", "sealed"), opening % value)
            if fits:
                await connection.execute(insert, *values)
            else:
                with pytest.raises(asyncpg.CheckViolationError, match="do not sum to zero"):
                    await connection.execute(insert, *values)
            await transaction.rollback()


@pytest.mark.parametrize("what", IMPOSSIBLE)
async def test_the_writer_s_role_cannot_add(three: Database, what: str) -> None:
    async with three.connect("bookkeeping") as connection:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with connection.transaction():
                await connection.execute(GROW, 1, bytes(32))
                await connection.execute(INSERT, *IMPOSSIBLE[what])


async def test_the_same_way_a_possible_entry_is_added(three: Database) -> None:
    async with three.connect("bookkeeping") as connection:
        await connection.execute("BEGIN")
        await connection.execute(GROW, 1, bytes(32))
        await connection.execute(INSERT, *row(seq=2))
        await connection.execute("ROLLBACK")


async def test_entries_past_the_writer_s_row_are_refused(three: Database) -> None:
    async with three.connect("bookkeeping") as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(INSERT, *row(seq=2))


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("table", FACTS)
async def test_nobody_changes_or_removes_a_fact(
    three: Database, role: str | None, table: str
) -> None:
    async with three.connect(role) as connection:
        for statement in (
            f"UPDATE {table} SET {FACTS[table]} = {FACTS[table]}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(REFUSALS):
                await connection.execute(statement)
    assert await three.value("SELECT count(*) FROM ledger.entries") == 3


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_may_even_try_to_change_a_fact(three: Database, role: str) -> None:
    may = "SELECT has_table_privilege($1, $2, 'UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES')"
    for table in (*FACTS, "ledger.openings"):
        assert not await three.value(may, f"amply_{role}", table), table
    columns = "SELECT has_any_column_privilege($1, $2, 'UPDATE')"
    for table in FACTS:
        assert not await three.value(columns, f"amply_{role}", table), table


async def test_balances_that_do_not_sum_to_zero_are_refused(three: Database) -> None:
    async with three.connect("bookkeeping") as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE ledger.balances SET amount = amount + 1")
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO ledger.balances VALUES ($1, $2, 'Assets:Bank', 'EUR', 5)",
                *(A, name("fund", A)),
            )


async def test_a_log_cannot_go_back(three: Database) -> None:
    changes = ("epoch = epoch - 1", "next_offset = next_offset - 1", "last_time = '2020-01-01'")
    for change in changes:
        with pytest.raises(asyncpg.CheckViolationError):
            await three.fetch(f"UPDATE ledger.writers SET {change}")
    with pytest.raises(asyncpg.CheckViolationError):
        await three.fetch("UPDATE ledger.writers SET size = 1, frontier = $1", bytes(32))


async def test_checkpoints_only_grow_and_cover_only_what_is_recorded(database: Database) -> None:
    await database.record(genesis(PLATFORM), genesis(A), donation(A, 1))
    claim = "INSERT INTO ledger.checkpoints VALUES (0, $1, $2, 'note', 1)"
    async with database.connect("checkpoints") as connection:
        await connection.execute(claim, 2, bytes(32))
        for size in (1, 2, 4):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await connection.execute(claim, size, bytes([size] * 32))
        await connection.execute(claim, 3, bytes(32))


async def test_tenants_see_their_own_openings_balances_and_no_others(database: Database) -> None:
    fund = name("fund", B)
    await database.record(genesis(PLATFORM), genesis(A), donation(A, 1))
    await database.record(genesis(B), donation(B, 2, visibility="internal_only"))
    assert await database.value("SELECT count(*) FROM ledger.openings") == 4
    counts = {}
    async with database.connect("edge") as connection:
        for scope in ("", A, B, f"{A},{B}"):
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.organizations', $1, true)", scope)
                openings = await connection.fetchval("SELECT count(*) FROM read.openings")
                balances = await connection.fetchval("SELECT count(*) FROM read.balances")
                counts[scope] = (openings, balances)
    assert counts == {"": (0, 0), A: (1, 2), B: (3, 2), f"{A},{B}": (4, 4)}
    async with database.connect("operations") as connection:
        assert await connection.fetchval("SELECT count(*) FROM ledger.openings") == 0
        assert await connection.fetchval("SELECT count(*) FROM ledger.funds") == 0
        for part in range(4):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"SELECT count(*) FROM ledger.openings_{part}")
    assert await database.value("SELECT currency FROM ledger.funds WHERE id = $1", fund) == "EUR"
