"""The command as scripts outside call it: exit codes, --json, and what people read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amply_verify.cli import main
from amply_verify.note import Signer
from amply_verify.report import printable


@pytest.fixture
def key(golden: Any) -> str:
    return str(golden["vkey"])


@pytest.fixture
def published(made_log: Any, golden: Any, tmp_path: Path) -> Path:
    made_log.entries = [text.encode() for text in golden["entries"]]
    folder: Path = made_log.publish(tmp_path / "log")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code, output = run(capsys, *arguments, "--json")
    assert output.count("\n") == 1
    value = json.loads(output)
    assert {"verified", "step", "seq", "message"} <= value.keys()
    assert value["verified"] is (code == 0)
    return code, value


def test_a_receipt(capsys: Any, vectors: Path, key: str) -> None:
    code, output = run(capsys, "receipt", vectors / "receipt.tlog-proof", "--key", key)
    assert code == 0
    assert output.startswith("verified: donation ent_0j300qq27kee6r1ap0jzebhtz8 is entry 7 of")
    assert "Income:Donations -2500 EUR" in output
    code, value = run_json(capsys, "receipt", vectors / "receipt.tlog-proof", "--key", key)
    assert (code, value["step"], value["index"], value["entry"]["seq"]) == (0, None, 7, 2)
    assert value["opened"]["donor"]["name"] == "Grace"


def test_an_export(capsys: Any, vectors: Path, key: str, golden: Any) -> None:
    file = vectors / "export.jsonl"
    code, output = run(capsys, "export", file, "--key", key, "--org", golden["orgs"][0])
    assert code == 0
    assert "partial balances" in output
    assert "not seen, sealed money of: 2 internal_only, 1 public_aggregated" in output
    assert "not seen, donors: 1 erased, 1 not given" in output
    code, value = run_json(capsys, "export", file, "--key", key)
    assert (code, value["entries"], value["partial"], value["head"]["seq"]) == (0, 107, True, 106)
    assert value["unseen"] == {
        "sealed_money": {"internal_only": 2, "public_aggregated": 1},
        "overdue": 0,
        "donors_erased": 1,
        "donors_not_given": 1,
    }
    stripe = [row for row in value["balances"] if row["account"] == "Assets:Stripe"]
    assert sum(int(row["amount"]) for row in stripe) == 30356


def test_balances(capsys: Any, vectors: Path, key: str, golden: Any, tmp_path: Path) -> None:
    file = vectors / "export-members.jsonl"
    code, output = run(capsys, "balances", file, "--key", key, "--org", golden["orgs"][0])
    assert code == 0
    rows = [line.split() for line in output.splitlines() if line.startswith("  fund_")]
    assert all(len(row) == 4 for row in rows)
    code, value = run_json(capsys, "balances", file, "--key", key)
    named = [[b["fund"], b["account"], b["currency"], b["amount"]] for b in value["balances"]]
    assert rows == named
    assert len({len(line) for line in output.splitlines() if line.startswith("  fund")}) == 1
    assert not any(sum(int(row[3]) for row in rows if row[0] == fund) for fund, *_ in rows)
    (tmp_path / "cut").write_bytes(file.read_bytes()[:-200])
    assert run_json(capsys, "balances", tmp_path / "cut", "--key", key)[1]["step"] == 2


def test_an_export_against_what_was_kept(
    capsys: Any, vectors: Path, key: str, load: Any, tmp_path: Path, golden: Any
) -> None:
    file = vectors / "export.jsonl"
    notes = {case["size"]: case["note"] for case in load("checkpoints.json")["checkpoints"]}
    for size, note in notes.items():
        (tmp_path / str(size)).write_text(note)
        code, value = run_json(capsys, "export", file, "--key", key, "--old", tmp_path / str(size))
        # The export carries a consistency proof from size 120 and from no other size.
        assert (code, value["step"]) == ((0, None) if size in (0, 120, 300) else (1, 10))
    head = tmp_path / "head"
    value = run_json(capsys, "export", file, "--key", key)[1]
    head.write_text(json.dumps(value["head"]))
    assert run(capsys, "export", file, "--key", key, "--old-head", head)[0] == 0
    head.write_text(json.dumps(value["head"] | {"hash": "0" * 64}))
    code, value = run_json(capsys, "export", file, "--key", key, "--old-head", head)
    assert (code, value["step"], value["seq"]) == (1, 10, 106)
    policy = tmp_path / "policy"
    policy.write_text(f"witness w {golden['witness_vkey']}\nquorum w\n")
    code, output = run(capsys, "export", file, "--key", key, "--policy", policy)
    assert code == 0
    assert "cosigned by witness.example.net/one at 2026-02-16T00:00:00Z" in output


def test_a_log(
    capsys: Any, published: Path, vectors: Path, key: str, load: Any, tmp_path: Path
) -> None:
    code, output = run(capsys, "log", published, "--key", key)
    assert code == 0
    assert "a log of 300 entries of 4 organizations, 2 censuses right" in output
    old = tmp_path / "old"
    old.write_text(load("checkpoints.json")["checkpoints"][5]["note"])
    receipt, export = vectors / "receipt.tlog-proof", vectors / "export.jsonl"
    code, value = run_json(
        capsys,
        *("log", published.as_uri(), "--key", key, "--old", old),
        *("--receipt", receipt, "--export", export),
    )
    assert (code, value["older_checkpoints"], value["compared"]) == (0, 1, 108)
    (published / "tile/0/000").write_bytes(bytes(8192))
    code, value = run_json(capsys, "log", published, "--key", key)
    assert (code, value["step"], value["seq"], value["index"]) == (1, "A2", None, 0)


def test_a_key_may_be_in_a_file(
    capsys: Any, vectors: Path, key: str, tmp_path: Path, log_signer: Signer
) -> None:
    file, receipt = tmp_path / "vkey", vectors / "receipt.tlog-proof"
    file.write_text(key + "\n")
    assert run(capsys, "receipt", receipt, "--key", file)[0] == 0
    stranger = str(Signer(log_signer.key.name, bytes(32)).key)
    code, value = run_json(capsys, "receipt", receipt, "--key", stranger)
    assert (code, value["step"]) == (1, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["receipt", "{tmp}/none", "--key", "{key}"],
        ["receipt", "{tmp}", "--key", "{key}"],
        ["export", "{tmp}/none", "--key", "{key}"],
        ["export", "{tmp}", "--key", "{key}"],
        ["log", "{tmp}/none", "--key", "{key}"],
        ["log", "{tmp}", "--key", "{key}"],
        ["log", "http://127.0.0.1:1/", "--key", "{key}"],
        ["log", "http://[", "--key", "{key}"],
        ["receipt", "{good}", "--key", "{tmp}/none"],
        ["receipt", "{good}", "--key", "{tmp}"],
        ["receipt", "{good}", "--key", "{good}"],
        ["receipt", "{good}", "--key", "x" * 5000],
        ["receipt", "{good}", "--key", "{witness}"],
        ["receipt", "{good}", "--key", "\udcff+00000000+AQ=="],
        ["receipt", "{good}", "--key", "{key}", "--policy", "{good}"],
        ["receipt", "{good}", "--key", "{key}", "--policy", "{tmp}/none"],
        ["export", "{export}", "--key", "{key}", "--old", "{tmp}/none"],
        ["export", "{export}", "--key", "{key}", "--old-head", "{good}"],
        ["log", "{tmp}", "--key", "{key}", "--receipt", "{export}"],
        ["log", "{tmp}", "--key", "{key}", "--export", "{good}"],
    ],
)
def test_what_cannot_be_read_exits_2(
    capsys: Any, vectors: Path, golden: Any, tmp_path: Path, arguments: list[str]
) -> None:
    names = {
        "tmp": tmp_path,
        "key": golden["vkey"],
        "witness": golden["witness_vkey"],
        "good": vectors / "receipt.tlog-proof",
        "export": vectors / "export.jsonl",
    }
    filled = [argument.format(**names) for argument in arguments]
    code, output = run(capsys, *filled)
    assert code == 2
    assert output.startswith("could not be read: ")
    assert output.count("\n") == 1
    assert run_json(capsys, *filled)[0] == 2


@pytest.mark.parametrize(
    "arguments", [[], ["receipt"], ["receipt", "x"], ["nothing"], ["export", "--key", "x"]]
)
def test_wrong_usage_exits_2(capsys: Any, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_old_checkpoint_that_is_none_is_a_refusal(
    capsys: Any, vectors: Path, key: str, tmp_path: Path
) -> None:
    (tmp_path / "old").write_text("nothing")
    file = vectors / "export.jsonl"
    code, value = run_json(capsys, "export", file, "--key", key, "--old", tmp_path / "old")
    assert (code, value["step"]) == (1, 10)


def test_the_module_runs_as_a_command(vectors: Path, key: str) -> None:
    command = [sys.executable, "-m", "amply_verify", "receipt", "--key", key]
    good = subprocess.run(
        [*command, vectors / "receipt.tlog-proof"],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert (good.returncode, good.stderr) == (0, b"")
    bad = subprocess.run([*command, vectors / "tiles.json"], capture_output=True, check=False)
    assert (bad.returncode, bad.stderr) == (1, b"")
    assert bad.stdout.startswith(b"refused at step 2")


def test_what_a_file_says_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[2J\u202eb\n\x7f\x9b\u2067") == "a\\x1b[2J\\u202eb\\n\\x7f\\x9b\\u2067"
    assert printable("Zoë 水の会 עברית 👨‍👩‍👧") == "Zoë 水の会 עברית 👨‍👩‍👧"


def test_a_donors_name_is_printed_harmless(
    capsys: Any, made_log: Any, make_id: Any, tmp_path: Path, key: str
) -> None:
    name = "Eve\x1b]0;\u202e"
    made_log.genesis(make_id("org", 5), name=name)
    made_log.donation(make_id("org", 5), details={"name": name})
    (tmp_path / "export").write_bytes(made_log.export(make_id("org", 5)))
    assert run(capsys, "export", tmp_path / "export", "--key", key)[0] == 0
    bad = made_log.export(make_id("org", 5), origin=name)
    (tmp_path / "export").write_bytes(bad)
    code, output = run(capsys, "export", tmp_path / "export", "--key", key)
    assert code == 1
    assert "\x1b" not in output
    assert "\u202e" not in output
