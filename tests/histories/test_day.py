"""A whole day of real gifts, over twenty accounts with all faults on, reconciles to the cent."""

import os
import tempfile
from pathlib import Path
from random import Random

import pytest

from deploy.embedded import Addresses
from tests.histories import day
from tests.histories.audit import audit
from tests.histories.history import rest
from tests.histories.opening import machinery
from tests.histories.play import Play
from tests.histories.running import prepare
from tests.histories.trouble import Trouble

DAY = "2017-01-14"  # 9 148 gifts, the day before the marathon's last.
SEED = int(os.environ.get("AMPLY_SEED", "20261130"))


@pytest.mark.timeout(1200)
async def test_a_day_of_real_gifts_reconciles_to_the_cent(engines: Addresses) -> None:
    print(f"AMPLY_SEED={SEED}")
    promises = day.gifts_of(DAY)
    bench = await prepare(engines.postgres_dsn, f"day_{os.getpid()}")
    with tempfile.TemporaryDirectory() as scratch:
        async with machinery(bench, Path(scratch)) as made:
            play = Play(made, Trouble())
            await play.begin()
            await day.Day(play, Random(SEED)).live(promises)
            assert len(play.gifts) == len(promises) == 9148
            assert play.sandbox.post.lost > 100, "the day was too calm to say anything"
            await rest(play)
            findings = await audit(play)
            assert not findings, "\n".join(map(str, findings[:30]))
            entries = await bench.fetch("SELECT count(*) AS n FROM ledger.entries")
            assert entries[0]["n"] > 8000
            await play.close()
