"""kill -9 of payments around its call to Stripe for a refund: one refund, one entry."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.workers.payments import dying
from tests.workers.payments.conftest import Scene
from tests.workers.payments.paying_back import paid

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("step", ["payments.refunded", "runtime.before_commit"])
async def test_a_process_killed_between_call_and_commit_refunds_once(
    scene: Scene, tmp_path: Path, master_key_file: Path, step: str
) -> None:
    gift = await paid(scene)
    asked = gift.request(3000)
    settings = {
        **scene.sandbox.settings,
        "AMPLY_POSTGRES": scene.bench.role_dsn("payments"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": "https://amply.test",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.workers.payments.dying"),
        cwd=ROOT,
        env={
            **os.environ,
            "AMPLY_FAILPOINT": f"{step}:1",
            "AMPLY_FAILPOINT_DIRECTORY": str(tmp_path),
        },
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate(dying.spell(scene.bench.delivery(asked), settings))
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / step).exists()
    assert len(await gift.refunds()) == 1, "Stripe made it, and nobody here wrote that down"
    assert await scene.bench.sent() == []

    [changed] = await gift.settle(asked)
    assert (changed.refund, changed.status) == (asked.body.refund, "succeeded")
    assert len(await gift.refunds()) == 1
    assert [entry.kind for entry in gift.entries] == ["donation", "refund"]
    await gift.assert_agrees()
