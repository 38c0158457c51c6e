"""`amply audit`: what is stored and what was written verify, or the command says where not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from ledger.audit import PURPOSE, seal_client
from ledger.keys import derive
from ledger.store import audit
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.making import name
from tests.ledger.test_audit import deed

ORGANIZATION, SLUG = name("org", "cli-audited"), "audited-society"
MASTER = bytes(32)


@pytest.fixture(scope="module")
def filled(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    engine_loop.run(fill(made))
    return made


async def fill(database: Database) -> None:
    await database.fetch(
        "INSERT INTO edge.organizations (id, slug, name) VALUES ($1, $2, 'Audited')",
        *(ORGANIZATION, SLUG),
    )
    client = seal_client("203.0.113.0/24", derive(MASTER, PURPOSE))
    deeds = [deed(number, organization=ORGANIZATION, client=None) for number in range(5)]
    deeds[2] = deeds[2]._replace(client=client)
    async with database.connect("edge") as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.organizations', $1, true)", ORGANIZATION)
        await audit.add(connection, deeds)
    async with database.connect("audit") as connection:
        await audit.advance(connection, await audit.take(connection), 100)


def amply(database: Database, folder: Path, *arguments: str) -> Any:
    (folder / "master.key").write_text(MASTER.hex() + "\n")
    settings = {
        "AMPLY_POSTGRES": database.role_dsn("operations"),
        "AMPLY_MASTER_KEY": str(folder / "master.key"),
    }
    return CliRunner().invoke(app, ["audit", *arguments], env=settings)


def test_a_log_is_checked_written_and_checked_again(filled: Database, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    checked = amply(filled, tmp_path, "check", "--organization", SLUG, "--json")
    assert checked.exit_code == 0, checked.output
    told = json.loads(checked.output)
    assert (told["organization"], told["records"]) == (ORGANIZATION, 5)
    head = f"{told['seq']}:{told['hash']}"
    written = amply(filled, tmp_path, "export", "--organization", SLUG, "--output", str(path))
    assert written.exit_code == 0 and head in written.output
    assert "203.0.113.0/24" in path.read_text()
    again = amply(filled, tmp_path, "check", "--file", str(path), "--head", head)
    assert again.exit_code == 0
    path.write_bytes(path.read_bytes().replace(b"createRefund", b"createPayout", 1))
    assert amply(filled, tmp_path, "check", "--file", str(path)).exit_code == 1


def test_a_record_that_was_removed_is_named(
    filled: Database, tmp_path: Path, engine_loop: LoopThread
) -> None:
    async def remove() -> None:
        async with filled.connect() as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("DELETE FROM audit.records WHERE seq = 3")

    engine_loop.run(remove())
    checked = amply(filled, tmp_path, "check", "--organization", SLUG)
    assert (checked.exit_code, "record 3" in checked.output) == (1, True)
    for wrong in ([], ["--organization", "nobody"], ["--organization", SLUG, "--head", "7"]):
        assert amply(filled, tmp_path, "check", *wrong).exit_code == 2
