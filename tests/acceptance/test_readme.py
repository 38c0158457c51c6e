"""The README's commands do what it says; `make run` works twice and finds yesterday's data."""

import asyncio
import os
import re
from pathlib import Path

from tests.platform import Running

ROOT = Path(__file__).parent.parent.parent


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


async def shell(script: str, folder: Path) -> str:
    # Not as part of the make that may be running this test.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-4000:]
    return output.decode()


async def test_the_two_commands_are_the_first_block() -> None:
    commands = [line.split("#")[0].strip() for line in blocks()[0].splitlines()]
    assert commands == ["make run", "make test"]


async def test_the_second_block_runs_against_a_started_platform(
    running: Running, tmp_path: Path
) -> None:
    (tmp_path / ".amply").symlink_to(running.data.path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    output = await shell(blocks()[1], tmp_path)
    assert "202 Accepted" in output
    assert output.count("verified") >= 2


async def test_the_third_block_writes_books_and_a_ledger_that_verifies(
    running: Running, tmp_path: Path
) -> None:
    (tmp_path / ".amply").symlink_to(running.data.path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    output = await shell(blocks()[2], tmp_path)
    assert "books.csv: " in output and "verified" in output
    for name in ("books.csv", "books.journal", "ledger.jsonl"):
        assert (tmp_path / name).stat().st_size > 0
        assert (tmp_path / f"{name}.manifest.json").stat().st_size > 0


async def test_the_fourth_block_makes_a_key_and_says_who_may_refund(
    running: Running, tmp_path: Path
) -> None:
    (tmp_path / ".amply").symlink_to(running.data.path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    output = await shell(blocks()[3], tmp_path)
    assert "ampk_test_" in output
    assert "key_" in output and "refunds:write" in output


async def test_make_run_once_prints_ten_lines_that_end_in_verified_and_keeps_its_data(
    tmp_path: Path,
) -> None:
    command = f"make run ONCE=1 DATA={tmp_path / 'data'} PORT=0"
    first = await shell(command, ROOT)
    lines = first.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Amply is up at"))
    assert lines[start + 9] == "verified"
    environment = (tmp_path / "data" / "amply.env").read_text()
    assert (tmp_path / "data" / "amply.env").stat().st_mode & 0o777 == 0o600
    second = await shell(command, ROOT)
    assert second.splitlines()[-1] == "verified"
    key = re.compile(r"AMPLY_API_KEY=(.+)")
    again = (tmp_path / "data" / "amply.env").read_text()
    assert key.findall(environment) == key.findall(again) != []
    receipts = list((tmp_path / "data" / "receipts").glob("don_*.tlog-proof"))
    assert len(receipts) == 2


async def test_a_second_platform_on_one_data_directory_is_refused_in_a_sentence(
    running: Running,
) -> None:
    process = await asyncio.create_subprocess_exec(
        str(ROOT / ".venv" / "bin" / "amply"),
        "up",
        "--once",
        "--data",
        str(running.data.path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in errors.decode()
    assert errors.decode().startswith("amply: ")
