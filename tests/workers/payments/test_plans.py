"""Batches find their attempts by key, also in a table that nobody has analysed yet.

Without that, the planner reads all attempts of an organization for each row of a batch: half a
millisecond a gift at 400 gifts, growing with their number.
"""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.workers.bench import Bench, new
from workers.payments import store, store_captures

ROWS = 2000
FILL = """
    INSERT INTO payments.attempts (organization, donation, state, account, payment_intent, request)
    SELECT $1, 'don_' || n, 'processing', 'acct_1', 'pi_' || $1 || n, ''
    FROM generate_series(1, $2::integer) AS n
"""
#: Statement -> its arguments for a batch of one row.
STATEMENTS = {
    "ADVANCE": (store.ADVANCE, (["don_1"], ["failed"], ["pi_1"], [None], [True])),
    "CAPTURE": (
        store_captures.CAPTURE,
        (
            *(["don_1"], ["pi_1"], ["ch_1"], ["txn_1"], ["acct_1"], ["fund_1"], ["EUR"]),
            *([2500], [63], [2437], ["ent_1"], [datetime(2027, 3, 1, tzinfo=UTC)]),
        ),
    ),
    "OPEN": (store.OPEN, (["don_1"], [b"{}"], [False], None, timedelta(hours=24))),
    "BY_OBJECT": (store.BY_OBJECT, (["pi_1"],)),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_all_attempts_of_an_organization(bench: Bench, name: str) -> None:
    statement, arguments = STATEMENTS[name]
    organization = new("org")
    connection = await asyncpg.connect(bench.role_dsn("payments"))
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.organizations', $1, true)", organization
            )
            await connection.execute(FILL, organization, ROWS)
            rows = await connection.fetch(f"EXPLAIN {statement}", [organization], *arguments)
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert not re.search(r"Seq Scan on attempts", plan), plan
    for condition in re.findall(r"on attempts_\d.*\n\s*Index Cond: (.*)", plan):
        assert re.search(r"\((donation|payment_intent|charge) = ", condition), plan
    assert "attempts_" in plan
