"""The README's commands are run and print what it says; its Python runs too.

Its addresses are those of a server that the test runs, and `curl` is played by urllib.
"""

import functools
import re
import shlex
import threading
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from amply_verify.cli import main

README = Path(__file__).parents[2] / "verifier" / "README.md"
PUBLIC = "https://ledger.example.org"
EXPORT = "v1/public/organizations/food-bank/ledger/export"


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
    (tmp_path / "public/log/0/vkey").write_text(golden["vkey"] + "\n")
    (tmp_path / "log.vkey").write_text(golden["vkey"] + "\n")
    (tmp_path / "gift.tlog-proof").write_bytes((vectors / "receipt.tlog-proof").read_bytes())
    for path in (tmp_path / "export.jsonl", tmp_path / "public" / EXPORT):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((vectors / "export.jsonl").read_bytes())
    notes = {case["size"]: case["note"] for case in load("checkpoints.json")["checkpoints"]}
    (tmp_path / "checkpoint.old").write_text(notes[120])
    (tmp_path / "checkpoint.friend").write_text(notes[120])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    handler = functools.partial(Silent, directory=str(folder / "public"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_commands_print_what_the_readme_says(
    capsys: pytest.CaptureFixture[str], address: str
) -> None:
    text = README.read_text().replace(PUBLIC, address)
    steps = [
        re.fullmatch(r"(\S+) ([^\n]*)\n([\s\S]*)", step)
        for block in re.findall(r"```console\n\$ ([\s\S]*?)```", text)
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)
    ]
    assert len(steps) == 13
    for step in steps:
        assert step is not None
        program, arguments, expected = step.groups()
        words = shlex.split(arguments)
        if program == "curl":
            option, file, url = words
            assert option == "-so"
            urllib.request.urlretrieve(url, file)
            continue
        assert program == "amply-verify"
        code = main(words)
        assert capsys.readouterr().out == expected
        assert code == (1 if expected.startswith("refused") else 0)


@pytest.mark.usefixtures("folder")
def test_the_readmes_python_runs() -> None:
    blocks = re.findall(r"```python\n([\s\S]*?)```", README.read_text())
    assert len(blocks) == 1
    exec(compile(blocks[0], str(README), "exec"), {})
