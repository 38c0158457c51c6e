"""Hundreds of random histories at Stripe end in a ledger that agrees with it to the cent."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.embedded import Addresses

#: One seed of a history that failed: it alone is played again.
SEED = os.environ.get("AMPLY_HISTORY_SEED")
HISTORIES = 300
#: Each a process with a database of its own; two cores carry two of them and their PostgreSQL.
AT_ONCE = 2


async def run(dsn: str, first: int, count: int) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.histories"),
        *("--dsn", dsn, "--first", str(first), "--count", str(count)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.timeout(900)
async def test_random_histories_end_in_agreement_to_the_cent(engines: Addresses) -> None:
    count = 1 if SEED else HISTORIES // AT_ONCE
    firsts = [int(SEED)] if SEED else [count * number for number in range(AT_ONCE)]
    ended = await asyncio.gather(*(run(engines.postgres_dsn, first, count) for first in firsts))
    for status, output in ended:
        print(output)
        assert status == 0, f"\n{output}"
