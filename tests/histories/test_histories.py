"""Hundreds of random histories at Stripe end in a ledger that agrees with it to the cent."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from tests.histories.mutants import MUTANTS

#: One seed of a history that failed: it alone is played again.
SEED = os.environ.get("AMPLY_HISTORY_SEED")
HISTORIES = 300
#: Each a process with a database of its own; two cores carry two of them and their PostgreSQL.
#: Where tests are shared out (tests/scheduling.py) the other core has work: a platform's processes
#: stand back (nice), and two of these would leave them nothing.
AT_ONCE = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2


async def run(dsn: str, *arguments: object) -> tuple[int, str]:
    """`python -m tests.histories` in a process of its own: its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.histories", "--dsn", dsn, *map(str, arguments)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.timeout(1800)
async def test_random_histories_end_in_agreement_to_the_cent(engines: Addresses) -> None:
    count = 1 if SEED else HISTORIES // AT_ONCE
    firsts = [int(SEED)] if SEED else [count * number for number in range(AT_ONCE)]
    ended = await asyncio.gather(
        *(run(engines.postgres_dsn, "--first", first, "--count", count) for first in firsts)
    )
    for status, output in ended:
        print(output)
        assert status == 0, f"\n{output}"


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_mistake_in_stripes_figures_does_not_go_unnoticed(
    engines: Addresses, mutant: str
) -> None:
    status, output = await run(engines.postgres_dsn, "--mutant", mutant, "--count", 60, "--long")
    print(output)
    assert status == 1
    assert "does not hold at its end" in output
