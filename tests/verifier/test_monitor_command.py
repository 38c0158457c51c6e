"""`amply-verify monitor` as cron runs it: exit codes, and the command it alarms with."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amply_verify import monitor_run
from amply_verify.cli import main
from tests.verifier.conftest import MadeLog, typeid
from tests.verifier.test_cli import run_json
from tests.verifier.test_monitor import grow


@pytest.fixture
def log(made_log: MadeLog) -> MadeLog:
    made_log.genesis(typeid("org", 1))
    made_log.genesis(typeid("org", 7))
    grow(made_log, 298)
    return made_log


@pytest.fixture
def command(tmp_path: Path) -> str:
    """Writes what an alarm says into a file, one JSON object a line."""
    script = tmp_path / "alarm me.py"
    script.write_text(
        "import json, os, sys\n"
        "said = {k: v for k, v in os.environ.items() if k.startswith('AMPLY_VERIFY_')}\n"
        f"open({str(tmp_path / 'alarms')!r}, 'a').write(json.dumps([sys.argv[1:], said]) + '\\n')\n"
    )
    return f"{sys.executable} '{script}' 'to $USER; true'"


def alarms(tmp_path: Path) -> list[Any]:
    path = tmp_path / "alarms"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_command_for_cron(
    capsys: Any, log: MadeLog, tmp_path: Path, golden: Any, command: str
) -> None:
    folder = log.publish(tmp_path / "log")
    state = ("--state", tmp_path / "state", "--command", command)
    arguments = ("monitor", folder, "--key", golden["vkey"], "--once", *state)
    code, value = run_json(capsys, *arguments)
    assert (code, value["reason"], value["size"]) == (0, "ok", 300)
    assert alarms(tmp_path) == []
    (folder / "checkpoint").write_text(log.note(299))
    code, value = run_json(capsys, *arguments)
    assert (code, value["reason"], value["step"]) == (1, "inconsistent", "A6")
    ((given, said),) = alarms(tmp_path)
    assert given == ["to $USER; true"], "no shell saw it"
    assert said["AMPLY_VERIFY_REASON"] == "inconsistent"
    assert said["AMPLY_VERIFY_MESSAGE"] == value["message"]
    assert said["AMPLY_VERIFY_LOG"] == log.origin
    assert Path(said["AMPLY_VERIFY_EVIDENCE"]).is_file()
    (folder / "checkpoint").unlink()
    assert run_json(capsys, *arguments)[0] == 2
    assert alarms(tmp_path)[1][1]["AMPLY_VERIFY_REASON"] == "missing"
    (tmp_path / "state/state.sqlite").write_bytes(b"nothing" * 1000)
    assert main([str(one) for one in arguments]) == 2
    assert alarms(tmp_path)[2][1]["AMPLY_VERIFY_REASON"] == "state"
    assert main(["monitor", str(tmp_path / "none"), *(str(one) for one in arguments[2:])]) == 2
    assert alarms(tmp_path)[3][1]["AMPLY_VERIFY_REASON"] == "missing"


def test_a_command_that_fails_is_reported_and_changes_no_exit_status(
    capsys: Any, log: MadeLog, tmp_path: Path, golden: Any
) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("/no/such/program", f"{sys.executable} -c 'exit(3)'", "'unbalanced"):
        code = main(
            [
                *("monitor", str(tmp_path / "empty"), "--key", golden["vkey"], "--once"),
                *("--state", str(tmp_path / "state"), "--command", command),
            ]
        )
        captured = capsys.readouterr()
        assert code == 2
        assert "the command of --command failed" in captured.err


def test_following_alarms_when_trouble_begins_and_ends_when_inconsistent(
    capsys: Any,
    log: MadeLog,
    tmp_path: Path,
    golden: Any,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = log.publish(tmp_path / "log")
    note = (folder / "checkpoint").read_text()

    def grown() -> None:
        grow(log, 3)
        log.publish(folder)

    steps: list[Callable[[], object]] = [
        (folder / "checkpoint").unlink,
        lambda: None,
        lambda: (folder / "checkpoint").write_text(note),
        grown,
        lambda: (folder / "checkpoint").write_text(log.note(301)),
    ]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        steps[len(waited) - 1]()

    monkeypatch.setattr(monitor_run, "sleep", sleep)
    arguments = ["monitor", str(folder), "--key", golden["vkey"], "--interval", "7", "--json"]
    arguments += ["--state", str(tmp_path / "state"), "--command", command]
    assert main(arguments) == 1
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reasons = ["ok", "missing", "missing", "ok", "ok", "inconsistent"]
    assert [value["reason"] for value in values] == reasons
    assert [said["AMPLY_VERIFY_REASON"] for _, said in alarms(tmp_path)] == [
        "missing",
        "inconsistent",
    ]
    assert waited == [7.0] * 5
