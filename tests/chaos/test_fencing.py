"""A paused ledger writer that wakes up after another took over cannot append."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from deploy.supervisor import Command
from tests.checks import Before, assert_ledger_holds_exactly
from tests.engines import LoopThread
from tests.platform import Running, all_recorded, give, until


async def start(command: Command) -> asyncio.subprocess.Process:
    """The same writer again, beside the supervisor's."""
    # A health port of its own is not needed; the first writer has the configured one.
    settings = {k: v for k, v in command.environment.items() if k != "AMPLY_METRICS_PORT"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command.arguments, env={**os.environ, **settings}
    )


async def epoch(running: Running) -> int:
    rows = await running.fetch("SELECT epoch FROM ledger.writers WHERE log = 0")
    return int(rows[0]["epoch"])


async def test_a_writer_paused_between_batches_is_fenced_when_it_wakes(
    running: Running, engine_loop: LoopThread, then: Before
) -> None:
    old = running.platform.supervisor.processes()["bookkeeping"]
    before = await epoch(running)
    os.kill(old, signal.SIGSTOP)
    second = await start(running.platform.command_of("bookkeeping"))
    try:
        paused = await give(running, 30, prefix="paused-idle")
        await all_recorded(running, paused, 60)
        assert await epoch(running) > before
        os.kill(old, signal.SIGCONT)

        async def old_is_gone() -> bool:
            return running.platform.supervisor.processes().get("bookkeeping") != old

        woken = await give(running, 30, prefix="woken-idle")
        await until(old_is_gone, what="the fenced writer ended", timeout_s=60)
        await all_recorded(running, woken, 60)
        await assert_ledger_holds_exactly(running, {**paused, **woken}, then)
    finally:
        await end(second)


async def test_a_writer_paused_inside_its_transaction_blocks_nobody_and_cannot_append(
    running: Running, engine_loop: LoopThread, then: Before, tmp_path: Path
) -> None:
    step = "bookkeeping.before_commit"
    failpoint = {
        "AMPLY_FAILPOINT": f"{step}:1:stop",
        "AMPLY_FAILPOINT_DIRECTORY": str(tmp_path),
    }
    await running.replace(engine_loop, "bookkeeping", failpoint)
    old = running.platform.supervisor.processes()["bookkeeping"]
    paused = await give(running, 30, prefix="paused-inside")

    async def stopped() -> bool:
        return (tmp_path / step).exists()

    await until(stopped, what="the writer stopped inside its transaction", timeout_s=30)
    second = await start(running.platform.command_of("bookkeeping"))
    try:
        await all_recorded(running, paused, 60)
        os.kill(old, signal.SIGCONT)
        woken = await give(running, 30, prefix="woken-inside")
        await all_recorded(running, woken, 60)
        await assert_ledger_holds_exactly(running, {**paused, **woken}, then)
    finally:
        await end(second)
        await running.replace(engine_loop, "bookkeeping", {})


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
