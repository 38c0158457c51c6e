"""`amply limits`: an organization's own rates, noted, heard by the edge, and taken back."""

import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from edge.directory import store as directory
from tests.engines import LoopThread
from tests.workers.bench import Bench


@pytest.fixture(scope="module")
def bench(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Bench:
    made = Bench(postgres_database())
    engine_loop.run(made.prepare())
    return made


def amply(bench: Bench, *arguments: str) -> Any:
    settings = {"AMPLY_POSTGRES": bench.role_dsn("operations")}
    return CliRunner().invoke(app, ["limits", *arguments], env=settings)


def test_a_rate_is_set_shown_noted_and_reset(bench: Bench, engine_loop: LoopThread) -> None:
    one, _ = engine_loop.run(bench.organization())
    other, _ = engine_loop.run(bench.organization())
    slug = one.replace("_", "-")
    made = amply(bench, "set", slug, "key.write", "1000", "--json")
    assert (made.exit_code, json.loads(made.output)) == (
        0,
        {"slug": slug, "rate": "key.write", "before": None, "after": 1000},
    )
    assert "was 1000 and is without limit" in amply(bench, "set", slug, "key.write", "0").output
    amply(bench, "set", other.replace("_", "-"), "key.read", "5")
    [row] = json.loads(amply(bench, "list", "--organization", slug, "--json").output)
    assert (row["organization"], row["rate"], row["most"], row["usual"], row["window_s"]) == (
        *(one, "key.write", 0, 100, 60),
    )
    assert len(json.loads(amply(bench, "list", "--json").output)) == 2
    assert rates(bench, engine_loop, one) == {"key.write": 0}
    reset = amply(bench, "reset", slug, "key.write")
    assert "was without limit and is as usual" in reset.output
    assert rates(bench, engine_loop, one) == {}
    noted = engine_loop.run(
        bench.fetch(
            "SELECT actor_kind, action, resource, before IS NULL AS no_before,"
            " after IS NULL AS no_after FROM audit.pending WHERE organization = $1"
            " ORDER BY position",
            one,
        )
    )
    assert [tuple(row.values()) for row in noted] == [
        ("operator", "setRateLimit", "key.write", True, False),
        ("operator", "setRateLimit", "key.write", False, False),
        ("operator", "resetRateLimit", "key.write", False, True),
    ]


def rates(bench: Bench, engine_loop: LoopThread, organization: str) -> dict[str, int]:
    async def look() -> dict[str, int]:
        connection = await asyncpg.connect(bench.role_dsn("edge"))
        try:
            return await directory.rate_limits(connection, organization)
        finally:
            await connection.close()

    return engine_loop.run(look())


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("set", "nobody", "key.write", "5"), 1, "no organization nobody"),
        (("set", "nobody", "person.read", "5"), 2, "no rate of keys"),
        (("set", "nobody", "key.write", "1000001"), 2, ""),
        (("list", "--organization", "nobody"), 1, "no organization nobody"),
    ],
)
def test_what_there_is_not_is_refused(
    bench: Bench, arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    told = amply(bench, *arguments)
    assert told.exit_code == status
    assert complaint in told.output + (told.stderr or "")
