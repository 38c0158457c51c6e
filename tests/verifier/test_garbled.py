"""Damaged files of every kind end in exit code 1 or 2 and one sentence, never in a traceback."""

import random
from pathlib import Path
from typing import Any

import pytest

from amply_verify.cli import main

SEED = 20260301


def damaged(data: bytes, count: int) -> list[bytes]:
    chance = random.Random(SEED)
    results = [data[: chance.randrange(len(data))] for _ in range(count)]
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        results.append(bytes(changed))
    for _ in range(count):
        start, length = chance.randrange(len(data)), chance.randrange(1, 200)
        results.append(data[:start] + chance.randbytes(length) + data[start + length :])
        results.append(data[:start] + data[start : start + length] * 2 + data[start + length :])
    return [result for result in results if result != data]


def check(capsys: Any, *arguments: object) -> None:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    output = captured.out + captured.err
    assert code in (1, 2), f"seed {SEED}: {output}"
    assert output.count("\n") == 1
    assert "Traceback" not in output


def test_receipts(capsys: Any, vectors: Path, golden: Any, tmp_path: Path) -> None:
    file = tmp_path / "receipt"
    data = (vectors / "receipt.tlog-proof").read_bytes()
    # Without a policy the witness's line is not looked at, so only the rest is damaged.
    signed, line = data[: data.rindex("— witness".encode())], data[data.rindex(b"\xe2") :]
    for changed in damaged(signed, 25):
        file.write_bytes(changed + line)
        check(capsys, "receipt", file, "--key", golden["vkey"])


def test_exports(capsys: Any, vectors: Path, golden: Any, tmp_path: Path) -> None:
    file = tmp_path / "export"
    first, *rows = (vectors / "export.jsonl").read_bytes().splitlines(keepends=True)
    # Consistency and cosignature are looked at only where the user asks; rows always are.
    for changed in damaged(b"".join(rows), 12):
        file.write_bytes(first + changed)
        check(capsys, "export", file, "--key", golden["vkey"])


@pytest.mark.parametrize(
    "name",
    ["checkpoint", "tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/1/000.p/1"],
)
def test_logs(
    capsys: Any, made_log: Any, golden: Any, tmp_path: Path, load: Any, name: str
) -> None:
    made_log.entries = [text.encode() for text in golden["entries"]]
    folder = made_log.publish(tmp_path / "log")
    for changed in damaged((folder / name).read_bytes(), 4):
        (folder / name).write_bytes(changed)
        check(capsys, "log", folder, "--key", golden["vkey"])


def test_files_of_another_kind(capsys: Any, vectors: Path, golden: Any, tmp_path: Path) -> None:
    for number, data in enumerate((b"", b"\n", b"{}\n", b"[]\n", b"\x00" * 5000, b"[" * 99999)):
        file = tmp_path / str(number)
        file.write_bytes(data)
        for command in ("receipt", "export", "log"):
            check(capsys, command, file, "--key", golden["vkey"])
    for file in sorted(vectors.iterdir()):
        if file.suffix != ".tlog-proof":
            check(capsys, "receipt", file, "--key", golden["vkey"])
        if file.suffix != ".jsonl":
            check(capsys, "export", file, "--key", golden["vkey"])
