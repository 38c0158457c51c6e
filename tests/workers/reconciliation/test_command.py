"""`amply reconcile` against the process, the sandbox and PostgreSQL, each a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from deploy.ports import free_ports
from tests.ledger.database import until
from tests.workers.reconciliation.conftest import Scene

ROOT = Path(__file__).parents[3]


async def amply(scene: Scene, data: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", "reconcile"),
        *(*arguments, "--data", str(data)),
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "AMPLY_POSTGRES": scene.bench.role_dsn("operations"),
        },
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@asynccontextmanager
async def reconciling(scene: Scene) -> AsyncIterator[str]:
    """The process, with periods so long that it does only what it is asked; its address."""
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "reconciliation"),
        env={
            "PATH": os.environ["PATH"],
            "AMPLY_MODE": "development",
            "AMPLY_POSTGRES": scene.bench.role_dsn("reconciliation"),
            "AMPLY_KAFKA": "127.0.0.1:9",
            "AMPLY_RECONCILE_PAUSE_S": "0.001",
            "AMPLY_METRICS_PORT": str(port),
            **scene.sandbox.settings,
        },
        cwd=ROOT,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def metrics(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        return await response.text()


def slug(scene: Scene) -> str:
    return scene.organization.replace("_", "-")


async def test_the_command_says_whether_both_sides_agree(scene: Scene, tmp_path: Path) -> None:
    only = ("--organization", slug(scene))
    await scene.book(await scene.charge())
    async with reconciling(scene) as url:
        status, output = await amply(scene, tmp_path, *only, "--json")
        assert status == 0, output
        told: Any = json.loads(output)
        assert told["agrees"] and told["differences"] == []
        [account] = told["accounts"]
        assert account["sums"][0]["balance_minor"] == await scene.balance()

        lost = await scene.charge(amount=1234)
        shop = await scene.charge(order="17")
        status, output = await amply(scene, tmp_path, *only)
        assert status == 1, output
        net = lost["balance_transaction"]["net"]
        assert f"missing_here (not_booked): {slug(scene)} {scene.account} charge" in output
        assert f"Stripe EUR {net // 100}.{net % 100:02}, we nothing" in output
        assert shop["balance_transaction"]["id"] not in output
        text = await metrics(url)
        assert 'reconciliation_open{of_class="missing_here"} 1.0' in text
        assert 'reconciliation_open{of_class="foreign"} 1.0' in text
        assert "reconciliation_whole_run_timestamp_seconds" in text

        async def book_when_asked() -> None:
            """What payments does with a look."""

            async def asked() -> bool:
                return bool(await scene.bench.sent())

            await until(asked, "a look is requested")
            await scene.book(lost)

        await scene.bench.sent()
        booking = asyncio.create_task(book_when_asked())
        status, output = await amply(scene, tmp_path, *only)
        await booking
        assert status == 0, output
        status, output = await amply(scene, tmp_path, *only, "--last", "--json")
        assert (status, json.loads(output)["agrees"]) == (0, True)

        await scene.sandbox.control(f"accounts/{scene.account}/deauthorize")
        status, output = await amply(scene, tmp_path, *only)
        assert status == 1 and "unreachable" in output


async def test_the_command_says_when_nothing_could_be_compared(
    scene: Scene, tmp_path: Path
) -> None:
    status, output = await amply(scene, tmp_path, "--organization", "nobody")
    assert status == 2 and "there is no organization 'nobody'" in output
    only = ("--organization", slug(scene))
    status, output = await amply(scene, tmp_path, *only, "--last")
    assert status == 2 and "nothing was compared yet" in output
    status, output = await amply(scene, tmp_path, "--wait", "0.1")
    assert status == 2 and "is `reconciliation` running?" in output
    fault = {"method": "GET", "path": "/v1/balance_transactions", "action": "answer"}
    # The process answers a request again that another one took and did not finish.
    left = "INSERT INTO reconciliation.requests (id, organization, taken_at) VALUES ($1, $2, now())"
    request = uuid4()
    await scene.bench.fetch(left, request, scene.organization)
    async with reconciling(scene):

        async def finished() -> bool:
            sql = "SELECT finished_at, runs FROM reconciliation.requests WHERE id = $1"
            [row] = await scene.bench.fetch(sql, request)
            return row["finished_at"] is not None and len(row["runs"]) == 1

        await until(finished, "the request that was left is answered")
        await scene.sandbox.control("faults", **fault, status=429, count=None)
        status, output = await amply(scene, tmp_path, *only)
        assert status == 2 and f"not compared: {scene.account}" in output
        await scene.sandbox.ask("DELETE", "/_sandbox/faults")
    # Another process, since this one's lane to the account has become slow.
    async with reconciling(scene):
        await scene.sandbox.control("faults", **fault, status=429, count=1)
        status, output = await amply(scene, tmp_path, *only)
        assert status == 0, output
