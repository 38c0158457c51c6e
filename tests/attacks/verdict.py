"""What the verifier's command answers, as a program reads it."""

import json
from pathlib import Path
from typing import Any

import pytest

from amply_verify.cli import main


class Verdict:
    """What `amply-verify` answers."""

    def __init__(self, capsys: pytest.CaptureFixture[str], key: str) -> None:
        self._capsys = capsys
        self._key = key

    def __call__(self, command: str, subject: Path, *options: object) -> dict[str, Any]:
        self._capsys.readouterr()
        arguments = [command, str(subject), "--key", self._key, "--json", *map(str, options)]
        status = main(arguments)
        answer: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        assert answer["verified"] is (status == 0)
        return answer

    def step(self, command: str, subject: Path, *options: object) -> Any:
        """The step that refused; None when everything verified."""
        return self(command, subject, *options)["step"]
