"""The edge as a process of its own: it drains, and a kill between two steps loses nothing."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.edge.stand import ORIGIN, WEBHOOK_SECRETS, Served, Stand, gift

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def process(stand: Stand, folder: Path, **more: str) -> AsyncIterator[tuple[Process, Served]]:
    """`python -m edge` on a free port."""
    key = folder / "master"
    key.write_text(stand.settings.master_key.hex() + "\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AMPLY_")},
        "AMPLY_POSTGRES": stand.settings.postgres,
        "AMPLY_SPICEDB": stand.settings.spicedb,
        "AMPLY_SPICEDB_TOKEN": stand.settings.spicedb_token,
        "AMPLY_MASTER_KEY": str(key),
        "AMPLY_STRIPE_CONNECT_SECRETS": ",".join(WEBHOOK_SECRETS),
        "AMPLY_ENVIRONMENT": "test",
        "AMPLY_PUBLIC": str(stand.settings.public),
        "AMPLY_LOG_ORIGIN": ORIGIN,
        "AMPLY_URL": "http://edge.test",
        "AMPLY_PORT": "0",
        **more,
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", env=environment, stdout=PIPE, cwd=Path(__file__).parents[2]
    )
    assert started.stdout is not None
    try:
        port = 0
        async with asyncio.timeout(60):
            while not port:
                line = orjson.loads(await started.stdout.readline())
                if line["event"] == "serving":
                    port = line["addresses"][0][1]
        async with aiohttp.ClientSession() as session:
            yield started, Served(f"http://127.0.0.1:{port}", session)
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def ended(started: Process) -> int:
    async with asyncio.timeout(30):
        _, code = await asyncio.gather(started.communicate(), started.wait())
    return code


@pytest.fixture(autouse=True)
async def nothing_is_old(stand: Stand) -> None:
    await stand.fetch("DELETE FROM messages.outbox WHERE topic = 'donations.requested.v1'")


async def test_sigterm_answers_what_was_asked_and_exits_with_0(
    stand: Stand, tmp_path: Path
) -> None:
    registered = await stand.register()
    await stand.fetch("DELETE FROM messages.outbox")
    async with process(stand, tmp_path) as (started, edge):
        posted = await edge.donate(gift(registered.id), registered.key.secret)
        waiting = asyncio.create_task(
            edge.get(posted.headers["Location"], registered.key.secret, Prefer="wait=30")
        )
        held = await stand.hold(registered.id, "k")
        committing = asyncio.create_task(
            edge.donate(gift(registered.id), registered.key.secret, "k")
        )
        await stand.blocked()
        started.send_signal(signal.SIGTERM)
        # The long wait ends at once with what is known, the commit is waited for.
        assert (await waiting).json["status"] == "pending"
        await held.release()
        assert (await committing).status == 202
        assert await ended(started) == 0
    assert (await stand.stored(registered.id))[0] == 2


async def test_a_second_signal_ends_it(stand: Stand, tmp_path: Path) -> None:
    registered = await stand.register()
    await stand.fetch("DELETE FROM messages.outbox")
    async with process(stand, tmp_path) as (started, edge):
        held = await stand.hold(registered.id, "k")
        committing = asyncio.create_task(
            edge.donate(gift(registered.id), registered.key.secret, "k")
        )
        await stand.blocked()
        started.send_signal(signal.SIGTERM)
        assert started.stdout is not None
        while orjson.loads(await started.stdout.readline())["event"] != "draining":
            continue
        started.send_signal(signal.SIGTERM)
        assert await ended(started) == 1
        await asyncio.gather(committing, return_exceptions=True)
        await held.release()


@pytest.mark.parametrize(("step", "stored"), [("edge.before_commit", 0), ("edge.committed", 1)])
async def test_killed_around_the_commit(
    stand: Stand, tmp_path: Path, step: str, stored: int
) -> None:
    registered = await stand.register()
    await stand.fetch("DELETE FROM messages.outbox")
    failpoint = {"AMPLY_FAILPOINT": f"{step}:1", "AMPLY_FAILPOINT_DIRECTORY": str(tmp_path)}
    async with process(stand, tmp_path, **failpoint) as (started, edge):
        with pytest.raises(aiohttp.ClientError):
            await edge.donate(gift(registered.id), registered.key.secret, "k")
        assert await ended(started) == -signal.SIGKILL
    assert (tmp_path / step).exists()
    async with stand.serve() as edge:
        answer = await edge.donate(gift(registered.id), registered.key.secret, "k")
    assert answer.status == 202
    assert answer.headers.get("Idempotent-Replayed") == ("true" if stored else None)
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_a_missing_setting_is_one_sentence() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AMPLY_")}
    environment |= {"AMPLY_ENVIRONMENT": "test", "AMPLY_LOG_ORIGIN": ORIGIN}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", env=environment, stderr=PIPE, stdout=PIPE
    )
    _, errors = await started.communicate()
    assert started.returncode == 2
    assert errors == b"AMPLY_POSTGRES is not set: give the address of PostgreSQL.\n"
