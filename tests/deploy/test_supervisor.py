"""Processes are forks of one that has imported the libraries, and behave like any process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.supervisor import Command, Supervisor

#: What the supervised module does; `start` files say that it runs, with all that it sees of itself.
MODULE = """
import json, os, pathlib, signal, sys
folder, name, behaviour = sys.argv[1:]
print("said by", name, flush=True)
seen = {
    "environment": dict(os.environ),
    "session": os.getsid(0),
    "group": os.getpgid(0),
    "niceness": os.nice(0),
    "child signal": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
    "input": os.path.samefile("/proc/self/fd/0", os.devnull),
    "open": sorted(int(one) for one in os.listdir("/proc/self/fd")),
    "main": __name__,
}
pathlib.Path(folder, f"{name}-{os.getpid()}").write_text(json.dumps(seen))
if behaviour == "fail":
    raise KeyError("a bug")
if behaviour == "exit":
    sys.exit(7)
signal.pause()
"""


class Lab:
    """A supervisor whose processes run the module above, and what they and it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[tuple[str, str]] = []
        self.supervisor = Supervisor(folder, lambda name, text: self.reports.append((name, text)))

    async def start(self, name: str, behaviour: str = "stay", **environment: str) -> None:
        arguments = ("supervised", str(self.folder), name, behaviour)
        await self.supervisor.start(Command(name, arguments, environment, niceness=3))

    async def seen(self, name: str, pid: int | None = None) -> dict[str, Any]:
        path = self.folder / f"{name}-{pid or self.supervisor.processes()[name]}"
        await until(path.exists, f"{path.name} runs")
        await until(lambda: bool(path.read_text()), f"{path.name} has looked at itself")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    async def reported(self, name: str, how: str) -> None:
        def told() -> bool:
            return any(who == name and how in text for who, text in self.reports)

        await until(told, f"{name} {how} is reported")


async def until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 (other processes set no event here)
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"waited in vain until {what}")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    (tmp_path / "supervised.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AMPLY_OF_THE_STARTER", "not for processes")
    made = Lab(tmp_path)
    yield made
    await made.supervisor.stop()


async def test_a_process_is_one_of_its_own_with_its_settings_alone(lab: Lab) -> None:
    await lab.start("first", AMPLY_SECRET="of the first")
    await lab.start("second", AMPLY_OTHER="of the second")
    first, second = await lab.seen("first"), await lab.seen("second")
    pids = lab.supervisor.processes()
    assert {name for name in first["environment"] if name.startswith("AMPLY")} == {"AMPLY_SECRET"}
    assert {name for name in second["environment"] if name.startswith("AMPLY")} == {"AMPLY_OTHER"}
    for name, seen in (("first", first), ("second", second)):
        assert seen["session"] == seen["group"] == pids[name]
        assert (seen["main"], seen["niceness"]) == ("__main__", os.nice(0) + 3)
        assert seen["child signal"] and seen["input"]
        assert len(seen["open"]) == 4, "standard ones, and the folder that is listed"
        assert lab.supervisor.log_of(name).read_text() == f"said by {name}\n"


@pytest.mark.parametrize(
    ("behaviour", "how", "said"),
    [("exit", "status 7", "said by it"), ("fail", "status 1", "KeyError: 'a bug'")],
)
async def test_what_ends_is_told_of_and_started_again(
    lab: Lab, behaviour: str, how: str, said: str
) -> None:
    await lab.start("it", behaviour)
    await lab.reported("it", how)
    await until(lambda: len(list(lab.folder.glob("it-*"))) > 1, "it runs again")
    assert said in lab.supervisor.log_of("it").read_text()


async def test_a_killed_process_is_started_again_and_the_others_stay(lab: Lab) -> None:
    await lab.start("killed")
    await lab.start("other")
    before = lab.supervisor.processes()
    await lab.seen("killed")
    os.kill(before["killed"], signal.SIGKILL)
    await lab.reported("killed", "signal 9")
    await until(lambda: "killed" in lab.supervisor.processes(), "it runs again")
    assert lab.supervisor.processes()["other"] == before["other"]
    assert lab.supervisor.processes()["killed"] != before["killed"]


async def test_a_stopped_process_is_ended_with_all_others(lab: Lab) -> None:
    await lab.start("stopped")
    await lab.start("other")
    pids = lab.supervisor.processes()
    await lab.seen("stopped")
    os.kill(pids["stopped"], signal.SIGSTOP)
    await lab.supervisor.stop()
    assert not any(map(runs, pids.values()))
    assert lab.reports == []


async def test_all_are_started_again_when_the_process_that_forks_them_dies(lab: Lab) -> None:
    await lab.start("first")
    await lab.start("second")
    before = lab.supervisor.processes()
    parent = int(Path(f"/proc/{before['first']}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    await until(lambda: not any(map(runs, before.values())), "those before end")
    await until(lambda: len(lab.supervisor.processes()) == 2, "both run again")
    for name in before:
        await lab.seen(name)
    assert not set(before.values()) & set(lab.supervisor.processes().values())


async def test_nothing_outlives_a_supervisor_that_is_killed(lab: Lab) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from deploy.supervisor import Command, Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor(pathlib.Path(sys.argv[1]), print)\n"
        "    arguments = ('supervised', sys.argv[1], 'it', 'stay')\n"
        "    await supervisor.start(Command('it', arguments, {}))\n"
        "    print(supervisor.processes()['it'], flush=True)\n"
        "    await asyncio.sleep(300)\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(lab.folder)), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int(await starter.stdout.readline())
    await lab.seen("it", pid)
    starter.kill()
    await starter.wait()
    await until(lambda: not runs(pid), "its process ends")
