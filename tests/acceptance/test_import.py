"""The first 2 000 donations of a real marathon, to the cent in ledger, export and verifier."""

import asyncio
import sys
from pathlib import Path

from deploy.importing import read
from tests.checks import amply_verify, checkpoint_covers_everything, export, income_of
from tests.engines import LoopThread
from tests.platform import Running, platform_fixture, until

DATA = Path(__file__).parent.parent / "data" / "agdq2017.csv.gz"
COUNT = 2000


async def run_import(running: Running) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from deploy.cli import main; main()",
        "import",
        str(DATA),
        "--organization",
        running.settings["AMPLY_ORGANIZATION"],
        "--limit",
        str(COUNT),
        "--data",
        str(running.data.path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def check(running: Running, tmp_path: Path) -> None:
    gifts = read(DATA, limit=COUNT).gifts
    total = sum(gift.amount_minor for gift in gifts)
    assert f"{COUNT} of {COUNT} accepted" in await run_import(running)

    async def recorded() -> bool:
        rows = await running.fetch("SELECT count(*) AS n FROM read.entries WHERE kind = 'donation'")
        return bool(rows[0]["n"] >= COUNT)

    await until(recorded, what="all gifts are recorded", timeout_s=180, poll_s=0.5)
    await checkpoint_covers_everything(running)
    again = await run_import(running)
    assert f"{COUNT} of them had been imported before" in again
    rows = await running.fetch(
        "SELECT count(*) FILTER (WHERE kind = 'donation') AS n FROM read.entries"
    )
    assert rows[0]["n"] == COUNT
    balances = await running.fetch(
        "SELECT sum(amount) AS total FROM ledger.balances WHERE account = 'Income:Donations'"
    )
    assert -int(balances[0]["total"]) == total
    path = await export(running, tmp_path / "export.jsonl")
    result = await amply_verify("export", path, "--key", running.vkey_file)
    assert -income_of(result) == total
    assert path.read_text().count("\n") == COUNT + 2  # Line 1 and the genesis.


def test_two_thousand_real_donations_add_up_to_the_cent(
    engine_loop: LoopThread, tmp_path: Path
) -> None:
    for running in platform_fixture(engine_loop, tmp_path / "platform"):
        engine_loop.run(check(running, tmp_path))
