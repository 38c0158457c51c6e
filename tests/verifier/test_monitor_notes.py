"""Notes from a topic: as JSON records or as they are, again and out of order, for ever."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from amply_verify.canonical import LINE_BYTES_MAX
from amply_verify.cli import main
from amply_verify.errors import UnreadableError
from amply_verify.monitor_run import read_records
from amply_verify.note import Checkpoint
from tests.verifier.conftest import MadeLog, typeid

ORG = typeid("org", 1)


@pytest.fixture
def log(made_log: MadeLog) -> MadeLog:
    made_log.genesis(ORG)
    for _ in range(299):
        made_log.donation(ORG)
    return made_log


def record(note: str) -> str:
    return json.dumps({"log": 0, "note": note}) + "\n"


def follow(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, key: str, text: str, *more: object
) -> tuple[int, list[Any]]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code = main(["monitor", "-", "--key", key, "--json", *map(str, more)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_records_and_notes_may_be_mixed(log: MadeLog) -> None:
    notes = [log.note(size) for size in (1, 2, 3, 4)]
    text = record(notes[0]) + notes[1] + notes[2] + "\n" + record(notes[3]) + notes[0]
    assert list(read_records(io.BytesIO(text.encode()), 60)) == [*notes, notes[0]]


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        "{\n",
        '{"note": 3}\n',
        "{" * 5000 + "\n",
        "origin\n1\n",
        "\xff\xfe\n",
        "x" * (LINE_BYTES_MAX + 1),
        "xxxxxxx\n" * (LINE_BYTES_MAX // 8 + 1),
    ],
)
def test_records_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        list(read_records(io.BytesIO(text.encode("latin-1")), 60))


def test_idle_time_is_told_and_ends_a_note(log: MadeLog) -> None:
    idle = threading.Event()

    class Slow(io.BytesIO):
        ended = False

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(-1 if size is None else size)
            if not line and not self.ended:
                self.ended = True
                idle.wait(60)
            return line

    seen: list[str | None] = []
    for found in read_records(Slow(log.note().encode()), 0.01):
        seen.append(found)
        if found is None and log.note() in seen:
            idle.set()
    assert seen.count(log.note()) == 1
    assert seen[-1] is None


def test_notes_again_and_out_of_order_are_no_fault(
    monkeypatch: Any, capsys: Any, log: MadeLog, golden: Any, tmp_path: Path
) -> None:
    text = "".join(record(log.note(size)) for size in (10, 20, 300, 20, 15, 300))
    arguments = (monkeypatch, capsys, golden["vkey"], text, "--state", tmp_path / "state")
    code, values = follow(*arguments)
    assert code == 0
    assert [value["reason"] for value in values] == ["ok"] * 6
    assert values[2]["message"].endswith("280 more than before, judged by its notes alone")
    assert "an older checkpoint that comes again" in values[3]["message"]
    code, (value,) = follow(*arguments, "--once")
    assert (code, value["size"]) == (0, 300)
    assert (tmp_path / "state/checkpoint").read_text() == log.note()


@pytest.mark.parametrize("size", [300, 20])
def test_two_roots_of_one_size_are_a_fork_without_any_file(
    monkeypatch: Any, capsys: Any, log: MadeLog, golden: Any, tmp_path: Path, size: int
) -> None:
    fork = log.signer.sign(Checkpoint(log.origin, size, bytes(32)))
    text = record(log.note(20)) + record(log.note(300)) + record(fork) + record(log.note(300))
    code, values = follow(
        monkeypatch, capsys, golden["vkey"], text, "--state", tmp_path / "state", "--once"
    )
    assert (code, values[-1]["reason"], values[-1]["step"]) == (1, "inconsistent", "A6")
    (evidence,) = (tmp_path / "state/evidence").iterdir()
    assert set(json.loads(evidence.read_bytes())["notes"]) == {log.note(size), fork}
    assert len(values) == 1


def test_with_the_logs_files_every_new_entry_is_judged(
    monkeypatch: Any, capsys: Any, log: MadeLog, golden: Any, tmp_path: Path
) -> None:
    text = record(log.note(20)) + record(log.note(256))
    folder = log.publish(tmp_path / "log")
    # The files of the newest size serve the older ones: full tiles stand in for partials.
    for size in (20, 256):
        for name, data in sized(log, size).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    arguments = (monkeypatch, capsys, golden["vkey"])
    more = ("--state", tmp_path / "state", "--tiles", folder, "--once")
    code, values = follow(*arguments, text, *more)
    assert (code, values[-1]["message"].endswith("236 more than before")) == (0, True)
    (folder / "tile/entries/001.p/44").unlink()
    code, values = follow(*arguments, record(log.note(300)), *more)
    assert (code, values[-1]["step"]) == (1, "A2")


def sized(log: MadeLog, size: int) -> dict[str, bytes]:
    files = MadeLog(log.signer, log.entries[:size]).files()
    del files["checkpoint"]
    return files


def test_a_record_that_is_no_text_or_no_record_is_told_and_not_a_crash(
    monkeypatch: Any, capsys: Any, log: MadeLog, golden: Any, tmp_path: Path
) -> None:
    lone = '{"note": ' + json.dumps(log.note().replace("ledger", "\\ud800", 1)) + "}\n"
    lone = lone.replace("\\\\ud800", "\\ud800")
    more = ("--state", tmp_path / "state")
    code, values = follow(monkeypatch, capsys, golden["vkey"], lone, *more)
    assert (code, values[-1]["reason"], values[-1]["step"]) == (1, "inconsistent", "A1")
    text = record(log.note()) + "{}\n"
    code, values = follow(monkeypatch, capsys, golden["vkey"], text, *more)
    assert (code, [value["reason"] for value in values]) == (2, ["ok", "missing"])


def test_an_empty_input_is_missing_and_a_silent_topic_is_late(
    monkeypatch: Any, capsys: Any, log: MadeLog, golden: Any, tmp_path: Path
) -> None:
    arguments = (monkeypatch, capsys, golden["vkey"])
    more = ("--state", tmp_path / "state", "--once")
    code, values = follow(*arguments, "", *more)
    assert (code, values[-1]["reason"]) == (2, "missing")
    assert follow(*arguments, record(log.note()), *more)[0] == 0
    monkeypatch.setattr("amply_verify.monitor_run.time.time", lambda: 4e9)
    code, values = follow(*arguments, "", *more, "--max-age", "60")
    assert (code, values[-1]["reason"]) == (1, "late")
    monkeypatch.undo()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
    assert main(["monitor", "-", "--key", golden["vkey"], "--state", str(tmp_path / "state")]) == 2
