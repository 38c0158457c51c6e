"""Each story through the real workers: the recorded ledger is the one that was told."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.scenarios import expected
from deploy.sandbox.scenarios.playing import open_account, play
from deploy.sandbox.scenarios.table import SCENARIOS
from tests.deploy.sandbox.scenarios.calm import Calm, calm
from tests.histories.ledger import Entry
from tests.workers.bench import Bench
from tests.workers.conftest import bench, master_key_file

__all__ = ["bench", "master_key_file"]


@pytest.fixture
async def platform(bench: Bench, master_key_file: Path) -> AsyncIterator[Calm]:
    async with calm(bench, master_key_file) as made:
        yield made


def summed(entry: Entry) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for line in entry.lines:
        sums[line.account, line.currency] += line.amount
    return {key: amount for key, amount in sums.items() if amount}


def plain(kind: str, postings: dict[tuple[str, str], int]) -> Any:
    return kind, sorted(postings.items())


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_recorded_ledger_is_the_one_that_was_told(platform: Calm, name: str) -> None:
    account = await open_account(platform.stripe)
    await platform.found(account)
    told = await play(platform.stripe, platform, account, name, seed=7)
    print("\n".join(told.lines()))
    recorded = [plain(entry.kind, summed(entry)) for entry in await platform.entries()]
    must_follow = [plain(entry.kind, entry.postings) for entry in told.entries]
    assert sorted(recorded) == sorted(must_follow)
    balances = {
        (name, currency): amount
        for name, sums in expected.balances(told.entries).items()
        for currency, amount in sums.items()
    }
    assert await platform.balances() == balances
