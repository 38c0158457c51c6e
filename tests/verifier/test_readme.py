"""The README's commands are run and print what it says; its Python runs too."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from amply_verify.cli import main

README = Path(__file__).parents[2] / "verifier" / "README.md"


@pytest.fixture
def folder(
    made_log: Any,
    golden: Any,
    load: Any,
    vectors: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    made_log.entries = [text.encode() for text in golden["entries"]]
    made_log.publish(tmp_path / "public/log/0")
    (tmp_path / "log.vkey").write_text(golden["vkey"] + "\n")
    (tmp_path / "gift.tlog-proof").write_bytes((vectors / "receipt.tlog-proof").read_bytes())
    (tmp_path / "export.jsonl").write_bytes((vectors / "export.jsonl").read_bytes())
    notes = {case["size"]: case["note"] for case in load("checkpoints.json")["checkpoints"]}
    (tmp_path / "checkpoint.old").write_text(notes[120])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_commands_print_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```console\n\$ amply-verify (.*)\n([\s\S]*?)```", README.read_text())
    assert len(blocks) == 4
    for command, expected in blocks:
        code = main(shlex.split(command))
        assert capsys.readouterr().out == expected
        assert code == (1 if expected.startswith("refused") else 0)


@pytest.mark.usefixtures("folder")
def test_the_readmes_python_runs() -> None:
    blocks = re.findall(r"```python\n([\s\S]*?)```", README.read_text())
    assert len(blocks) == 1
    exec(compile(blocks[0], str(README), "exec"), {})
