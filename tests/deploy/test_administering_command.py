"""`amply organization`, `member`, `staff` and `key` as an operator runs them."""

import json
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from edge.organizations.service import register_organization
from tests.engines import LoopThread
from tests.workers.bench import Bench

OWNER = "usr_" + "0" * 26


@pytest.fixture(scope="module")
def bench(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Bench:
    made = Bench(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def amply(bench: Bench, folder: Path, *arguments: str) -> tuple[int, str]:
    key = folder / "master.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    process = await create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "AMPLY_MODE": "development",
            "AMPLY_POSTGRES": bench.role_dsn("operations"),
            "AMPLY_POSTGRES_EDGE": bench.role_dsn("edge"),
            "AMPLY_MASTER_KEY": str(key),
            "AMPLY_LOG_ORIGIN": "amply.test/log/0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_an_organization_is_created_approved_and_suspended(
    bench: Bench, tmp_path: Path
) -> None:
    status, output = await amply(
        *(bench, tmp_path, "organization", "create", "harbour", "--name", "Harbour Lights"),
        *("--owner", OWNER, "--country", "DE", "--json"),
    )
    assert status == 0, output
    organization = json.loads(output)["id"]
    assert (await amply(bench, tmp_path, "organization", "approve", "harbour"))[0] == 0
    status, output = await amply(
        *(bench, tmp_path, "organization", "suspend", "harbour", "--reason", "Whose account?")
    )
    assert (status, output) == (0, "harbour is suspended\n")
    [row] = await bench.fetch(
        "SELECT status, reason FROM edge.organizations WHERE id = $1", organization
    )
    assert (row["status"], row["reason"]) == ("suspended", "Whose account?")
    [member] = await bench.fetch(
        "SELECT role FROM edge.members WHERE organization = $1", organization
    )
    assert member["role"] == "owner"
    status, output = await amply(bench, tmp_path, "organization", "approve", "nobody")
    assert (status, "there is no organization nobody" in output) == (1, True)


async def test_a_keys_secret_is_printed_once_rotated_and_revoked(
    bench: Bench, tmp_path: Path
) -> None:
    slug = "with-keys"
    connection = await asyncpg.connect(bench.role_dsn("edge"))
    try:
        for name, is_platform in (("amply", True), (slug, False)):
            await register_organization(
                connection,
                master_key=bytes(range(32)),
                environment="test",
                origin="amply.test/log/0",
                slug=name,
                name=name,
                is_platform=is_platform,
            )
    finally:
        await connection.close()
    status, output = await amply(
        *(bench, tmp_path, "key", "create", slug, "--name", "till"),
        *("--scope", "donations:write", "--json"),
    )
    assert status == 0, output
    made = json.loads(output)
    assert made["secret"].startswith("ampk_test_")
    status, output = await amply(bench, tmp_path, "key", "rotate", made["id"], "--json")
    assert status == 0, output
    assert json.loads(output)["secret"] != made["secret"]
    assert await amply(bench, tmp_path, "key", "revoke", made["id"]) == (
        0,
        f"{made['id']} is revoked\n",
    )
    status, output = await amply(bench, tmp_path, "key", "rotate", made["id"])
    assert (status, "Make another one" in output) == (1, True)
    status, output = await amply(
        *(bench, tmp_path, "key", "create", slug, "--name", "x", "--scope", "staff")
    )
    assert status == 1
    added = await amply(bench, tmp_path, "member", "add", slug, OWNER, "admin")
    assert added == (0, f"{slug}: {OWNER} is admin\n")
    assert (await amply(bench, tmp_path, "member", "add", slug, OWNER, "king"))[0] == 2
    assert await amply(bench, tmp_path, "staff", "set", OWNER, "superuser") == (
        0,
        f"{OWNER} is superuser\n",
    )
    assert (await amply(bench, tmp_path, "staff", "remove", OWNER))[0] == 1  # The last one.
