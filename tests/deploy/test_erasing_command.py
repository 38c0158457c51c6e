"""`amply erase` as an operator runs it, and dies in it: a process of its own."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.erasing import MASTER, NOTHING, Person
from tests.engines import LoopThread
from tests.ledger.database import Database


@pytest.fixture(scope="module")
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def amply(
    database: Database, data: Path, *arguments: str, **variables: str
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", *arguments),
        *("--data", str(data)),
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "AMPLY_POSTGRES": database.role_dsn("operations"),
            "AMPLY_FAILPOINT_DIRECTORY": str(data),
            **variables,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    "step", ["erasure.journaled", "erasure.before_commit", "erasure.committed"]
)
async def test_whoever_is_in_the_journal_is_forgotten_whenever_the_command_dies(
    database: Database, tmp_path: Path, step: str
) -> None:
    person = await Person(database).arrive(gifts=2)
    command = ("erase", "--organization", f"o{person.mark}", "--donor", person.profile)
    status, _ = await amply(database, tmp_path, *command, AMPLY_FAILPOINT=f"{step}:1")
    assert status == -9
    assert (tmp_path / step).exists()
    is_committed = step == "erasure.committed"
    assert (await person.traces() == NOTHING) == is_committed
    status, output = await amply(database, tmp_path, "erase", "--replay-journal")
    assert (status, output.strip()) == (0, f"{0 if is_committed else 1} forgotten again")
    assert await person.traces() == NOTHING
    assert len(await person.pending()) == 2


async def test_a_crash_before_the_journal_leaves_a_donor_that_the_next_try_forgets(
    database: Database, tmp_path: Path
) -> None:
    person = await Person(database).arrive(gifts=1)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "master.key").write_text(MASTER.hex())
    slug = f"o{person.mark}"
    journal = tmp_path / "erasures.journal"
    journal.mkdir()  # Nothing can be written there.
    command = ("erase", "--organization", slug, "--email", person.email)
    status, output = await amply(database, tmp_path, *command)
    assert status == 1, output
    assert (await person.traces())["profiles"] == 1
    journal.rmdir()
    status, output = await amply(database, tmp_path, *command)
    assert status == 0, output
    assert f"forgotten {person.profile}: 1 gifts, 1 entries" in output
    assert person.email not in output + journal.read_text()
    assert await person.traces() == NOTHING
    command = ("erase", "--organization", slug, "--donor", person.profile)
    status, output = await amply(database, tmp_path, *command)
    assert status == 0
    assert "was forgotten on" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say whom"),
        (("--organization", "hope"), "name --organization and one of"),
        (("--donor", "prof_1"), "name --organization and one of"),
        (("--organization", "hope", "--donor", "p", "--email", "e"), "and one of"),
        (("--organization", "nowhere", "--donor", "p"), "there is no organization nowhere"),
        (("--organization", "nowhere", "--email", "e"), "AMPLY_MASTER_KEY"),
    ],
)
async def test_a_command_that_names_nobody_says_what_to_do(
    database: Database, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    status, output = await amply(database, tmp_path, "erase", *arguments)
    assert status in (1, 2)
    assert sentence in output
    assert "Traceback" not in output
