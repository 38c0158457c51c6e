"""`amply organization` as an operator runs it: a process of its own."""

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from tests.engines import LoopThread
from tests.workers.bench import Bench


@pytest.fixture(scope="module")
def bench(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Bench:
    made = Bench(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def amply(bench: Bench, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "AMPLY_POSTGRES": bench.role_dsn("operations"),
            "AMPLY_POSTGRES_EDGE": bench.role_dsn("edge"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_platform_fee_is_none_until_it_is_agreed_and_is_one_organizations(
    bench: Bench,
) -> None:
    one, _ = await bench.organization()
    other, _ = await bench.organization()
    slug = one.replace("_", "-")
    command = ("organization", "platform-fee", slug)
    assert await amply(bench, *command) == (0, f"{slug}: 0.00 % of each charge\n")
    assert await amply(bench, *command, "125") == (0, f"{slug}: 1.25 % of each charge\n")
    rows = await bench.fetch(
        "SELECT id, platform_fee_basis_points AS fee FROM edge.organizations WHERE id = ANY ($1)",
        [one, other],
    )
    assert {row["id"]: row["fee"] for row in rows} == {one: 125, other: 0}
    status, output = await amply(bench, "organization", "platform-fee", "nobody", "5")
    assert (status, "there is no organization nobody" in output) == (1, True)
    assert (await amply(bench, *command, "5001"))[0] == 2


async def test_fund_is_opened_once_for_a_currency_and_belongs_to_its_organization(
    bench: Bench,
) -> None:
    organization, _ = await bench.organization()
    slug = organization.replace("_", "-")
    command = ("organization", "open-fund", slug)
    status, output = await amply(bench, *command, "JPY")
    assert status == 0, output
    [fund] = await bench.fetch(
        "SELECT id, is_default FROM edge.funds WHERE organization = $1 AND currency = 'JPY'",
        organization,
    )
    assert fund["is_default"] and fund["id"] in output
    told, event = await bench.sent()
    assert (event.body.event, event.body.subject) == ("fund.created", fund["id"])
    [change] = told.body.changes
    assert (change.resource, change.subject) == (
        f"fund:{fund['id']}",
        f"organization:{organization}",
    )
    for again, complaint in (("JPY", "already"), ("XTS", "no currency")):
        status, output = await amply(bench, *command, again)
        assert (status, complaint in output) == (1, True)
