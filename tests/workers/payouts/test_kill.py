"""kill -9 between Stripe's answer and the commit: one payout, one entry."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.workers.payouts.scenes import Own, entries


async def run(own: Own, tmp_path: Path, step: str | None, *arguments: str) -> int:
    """The exit status of a process of its own that dies at a step."""
    failpoint = {"AMPLY_FAILPOINT": f"{step}:1"} if step else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.workers.payouts.dying", own.bench.dsn),
        *arguments,
        cwd=Path(__file__).parents[3],
        env={
            **os.environ,
            **own.sandbox.settings,
            **failpoint,
            "AMPLY_POSTGRES": own.bench.role_dsn("payouts"),
            "AMPLY_ENVIRONMENT": "test",
            "AMPLY_FAILPOINT_DIRECTORY": str(tmp_path),
        },
    )
    return await process.wait()


async def test_a_payout_whose_process_died_after_stripes_answer_is_made_once(
    own: Own, tmp_path: Path
) -> None:
    await own.own()
    gift = await own.gift(2500)
    assert await run(own, tmp_path, "payouts.created") == -signal.SIGKILL
    assert await own.attempts() == [(1, "calling")]
    assert await run(own, tmp_path, None) == 0
    assert (await own.made(), await own.attempts()) == ([gift["net"]], [(1, "created")])


@pytest.mark.parametrize("step", ["runtime.before_commit", "runtime.committed"])
async def test_an_entry_whose_process_died_around_the_commit_is_requested_once(
    own: Own, tmp_path: Path, step: str
) -> None:
    await own.own()
    await own.gift(2500)
    payout = await own.automatic()
    await own.becomes(payout, "paid")
    arguments = (own.organization, own.account, payout)
    assert await run(own, tmp_path, step, *arguments) == -signal.SIGKILL
    first = await own.bench.sent()
    second = await own.event("payout.paid", payout)
    assert [entry.subject for entry in entries([*first, *second])] == [payout]
