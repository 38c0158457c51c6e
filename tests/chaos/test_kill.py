"""kill -9 of each process at each named step, and of each engine, with 300 gifts in flight.

Afterwards every gift that was answered 202 is in the ledger exactly once, nothing else is, and the
receipts, the export and the whole log verify. The seed chooses which hit of a step kills.
"""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.checks import Before, assert_ledger_holds_exactly, assert_receipts_verify
from tests.engines import LoopThread
from tests.platform import Running, all_recorded, give, until

SEED = int(os.environ.get("AMPLY_SEED", "20261125"))
GIFTS = 300
TIMEOUT_S = 120

#: Process -> the steps at which it is killed.
STEPS = [
    ("edge", "edge.before_commit"),
    ("edge", "edge.committed"),
    ("relay", "relay.acknowledged"),
    ("relay", "relay.deleted"),
    ("payments", "payments.answered"),
    ("payments", "runtime.before_commit"),
    ("payments", "runtime.committed"),
    ("fees", "runtime.before_commit"),
    ("fees", "runtime.committed"),
    ("donations", "runtime.before_commit"),
    ("donations", "runtime.committed"),
    ("bookkeeping", "bookkeeping.before_commit"),
    ("bookkeeping", "bookkeeping.committed"),
    ("checkpoints", "checkpoints.signed"),
    ("checkpoints", "checkpoints.tiles_written"),
    ("checkpoints", "checkpoints.published"),
]


@pytest.mark.parametrize(("process", "step"), STEPS)
async def test_a_process_killed_at_a_named_step_loses_and_doubles_nothing(
    running: Running,
    engine_loop: LoopThread,
    then: Before,
    tmp_path: Path,
    process: str,
    step: str,
) -> None:
    hit = random.Random(f"{SEED}/{process}/{step}").randint(1, 4)
    print(f"AMPLY_SEED={SEED}: {process} dies at hit {hit} of {step}")
    failpoint = {"AMPLY_FAILPOINT": f"{step}:{hit}", "AMPLY_FAILPOINT_DIRECTORY": str(tmp_path)}
    await running.replace(engine_loop, process, failpoint)
    donations = await give(running, GIFTS, prefix=f"{process}-{step}")

    async def was_hit() -> bool:
        return (tmp_path / step).exists()

    await until(was_hit, what=f"{process} reached {step}", timeout_s=30)
    await all_recorded(running, donations, TIMEOUT_S)
    await running.replace(engine_loop, process, {})
    await assert_ledger_holds_exactly(running, donations, then)
    await assert_receipts_verify(running, donations)


@pytest.mark.parametrize("process", ["sandbox", "payouts", "permissions", "notifications"])
async def test_a_process_killed_at_any_moment_loses_and_doubles_nothing(
    running: Running, engine_loop: LoopThread, then: Before, process: str
) -> None:
    giving = asyncio.create_task(give(running, GIFTS, prefix=f"killed-{process}"))
    await running.some_recorded(f"killed-{process}", giving)
    os.kill(running.platform.supervisor.processes()[process], signal.SIGKILL)
    donations = await giving
    await all_recorded(running, donations, TIMEOUT_S)
    await assert_ledger_holds_exactly(running, donations, then)
    await assert_receipts_verify(running, donations)


@pytest.mark.parametrize("engine", ["kafka", "postgres", "spicedb"])
async def test_an_engine_killed_under_load_loses_and_doubles_nothing(
    running: Running, engine_loop: LoopThread, then: Before, engine: str
) -> None:
    giving = asyncio.create_task(give(running, GIFTS, prefix=f"killed-{engine}"))
    await running.some_recorded(f"killed-{engine}", giving)
    await running.on_loop(engine_loop, running.platform.engines.kill(engine))
    await running.on_loop(engine_loop, running.platform.engines.restart(engine))
    donations = await giving
    await all_recorded(running, donations, TIMEOUT_S)
    await assert_ledger_holds_exactly(running, donations, then)
    await assert_receipts_verify(running, donations)
