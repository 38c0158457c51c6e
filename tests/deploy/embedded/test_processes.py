"""Children: they end when asked, when insisted upon, and when their starter dies."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.embedded import processes
from deploy.embedded.processes import Child, bound_log, process_identity, until

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""

STARTER = """
import sys, time
from pathlib import Path
from deploy.embedded.processes import Child
folder = Path(sys.argv[1])
child = Child([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
              folder=folder, log=folder / "log", environment={})
print(child.pid, flush=True)
time.sleep(600)
"""


def start(folder: Path, code: str) -> Child:
    command = [sys.executable, "-u", "-c", code]
    return Child(command, folder=folder, log=folder / "log", environment={"LANG": "C.UTF-8"})


async def test_a_child_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_DEADLINE_S", 0.5)
    child = start(tmp_path, DEAF)
    assert await until(lambda: "deaf" in child.last_words(), 20)
    await child.stop()
    assert child.process.returncode == -signal.SIGKILL


async def test_the_log_tells_why_a_child_ended(tmp_path: Path) -> None:
    child = start(tmp_path, "raise SystemExit('no space left')")
    assert await until(lambda: not child.alive, 20)
    assert child.last_words().endswith("no space left")
    assert process_identity(child.pid) is None


async def test_why_a_child_ended_is_found_among_what_others_logged_after_it(tmp_path: Path) -> None:
    earlier = start(tmp_path, "print('an earlier launch')")
    assert await until(lambda: not earlier.alive, 20)
    child = start(tmp_path, "raise SystemExit('shared memory block')")
    assert await until(lambda: not child.alive, 20)
    with (tmp_path / "log").open("a") as log:
        log.write("a child of the killed server ends\n" * 5)
    assert child.words().startswith("shared memory block")
    assert "earlier" not in child.words()


async def test_children_of_a_killed_starter_end(tmp_path: Path) -> None:
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert starter.stdout is not None
    pid = int(await starter.stdout.readline())
    identity = process_identity(pid)
    assert identity is not None
    assert await until(lambda: "up" in (tmp_path / "log").read_text(), 20)
    starter.kill()
    await starter.wait()
    # Elsewhere than on Linux the next start ends them: test_state.py.
    assert sys.platform != "linux" or await until(lambda: process_identity(pid) != identity, 20)


def test_logs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 10)
    log = tmp_path / "engine.log"
    with log.open("ab") as engine:
        for line in (b"first line\n", b"second line\n"):
            engine.write(line)
            engine.flush()
            bound_log(log)
        engine.write(b"third\n")
        engine.flush()
        bound_log(log)
    assert log.read_bytes() == b"third\n"
    assert (tmp_path / "engine.log.1").read_bytes() == b"second line\n"
