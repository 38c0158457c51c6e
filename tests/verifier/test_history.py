"""Two checkpoints: one history, a proven fork, or nothing that can be told."""

from pathlib import Path
from typing import Any

import pytest

from amply_verify.canonical import from_base64
from amply_verify.cli import main
from amply_verify.errors import UnreadableError
from amply_verify.history import Side, compare
from amply_verify.note import Checkpoint, open_checkpoint
from amply_verify.tree import verify_consistency
from amply_verify.trust import Signed, Trust
from tests.verifier.conftest import MadeLog, typeid
from tests.verifier.test_cli import run, run_json

ORG = typeid("org", 1)


@pytest.fixture
def log(made_log: MadeLog) -> MadeLog:
    made_log.genesis(ORG)
    for _ in range(699):
        made_log.donation(ORG)
    return made_log


@pytest.fixture
def fork(log: MadeLog) -> MadeLog:
    """The same log up to index 499, another one after it, longer in the end."""
    other = MadeLog(log.signer, log.entries[:500], log.openings[:500], log.orgs[:500])
    other.heads[ORG] = (499, log.leaves[499])
    for _ in range(300):
        other.donation(ORG, 1)
    return other


def side(log: MadeLog, size: int | None = None, with_files: bool = False) -> Side:
    note = log.note(size)
    signed = Signed(open_checkpoint(note, log.signer.key)[0], ())
    return Side(f"log at {size}", note, signed, log.files().get if with_files else None)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 699, 700])
def test_prefixes_are_one_history_whoever_holds_the_tiles(log: MadeLog, size: int) -> None:
    whole, old = side(log, with_files=True), side(log, size)
    for pair in ((whole, old), (old, whole)):
        compared = compare(*pair)
        assert not compared.forked
        assert compared.smaller.checkpoint.size == size
    if size in (0, 700):
        assert not compare(side(log), old).forked, "needs no tiles"
    else:
        with pytest.raises(UnreadableError, match="give the folder or the address of a log"):
            compare(side(log), old)


@pytest.mark.parametrize("size", [1, 499, 500])
def test_before_the_fork_all_is_one_history(log: MadeLog, fork: MadeLog, size: int) -> None:
    assert not compare(side(fork, with_files=True), side(log, size)).forked


@pytest.mark.parametrize("size", [501, 512, 700])
def test_a_fork_is_proven_by_two_notes_and_a_consistency_proof(
    log: MadeLog, fork: MadeLog, size: int
) -> None:
    compared = compare(side(log, size), side(fork, with_files=True))
    assert compared.forked
    # What an outsider does with the proof, out of the two notes alone.
    old, new = (
        open_checkpoint(part.note, log.signer.key)[0]
        for part in (compared.smaller, compared.larger)
    )
    verify_consistency(old.size, compared.root, new.size, new.root, compared.proof)
    assert compared.root != old.root


def test_two_roots_of_one_size_need_no_tiles(log: MadeLog, fork: MadeLog) -> None:
    assert compare(side(log), side(fork, 700)).forked
    note = log.signer.sign(Checkpoint(log.origin, 0, bytes(32)))
    empty = Side("a false empty log", note, Signed(Checkpoint(log.origin, 0, bytes(32)), ()))
    assert compare(empty, side(log)).forked


def test_tiles_that_are_not_those_of_the_checkpoint_tell_nothing(
    log: MadeLog, fork: MadeLog
) -> None:
    liar = side(fork)._replace(read=log.files().get)
    with pytest.raises(UnreadableError, match="is missing"):
        compare(liar, side(log, 600))
    files = log.files() | {"tile/0/002.p/188": bytes(188 * 32)}
    with pytest.raises(UnreadableError):
        compare(side(log)._replace(read=files.get), side(log, 600))
    mirror = side(log, 600)._replace(read=log.files().get)
    assert not compare(side(log), mirror).forked, "the mirror behind holds the tiles already"


def test_the_command(
    capsys: Any, log: MadeLog, fork: MadeLog, tmp_path: Path, golden: Any, trust: Trust
) -> None:
    key = golden["vkey"]
    mine, theirs = log.publish(tmp_path / "mine"), fork.publish(tmp_path / "theirs")
    old, export = tmp_path / "old", tmp_path / "export.jsonl"
    old.write_text(log.note(600))
    export.write_bytes(log.export(ORG))
    code, output = run(capsys, "compare", old, mine.as_uri(), "--key", key)
    assert code == 0
    assert output == (
        f"verified: one history: {mine.as_uri()} (700 entries) goes on from {old} (600 entries)\n"
    )
    assert run_json(capsys, "compare", export, mine, "--key", key)[1]["fork"] is False
    code, output = run(capsys, "compare", mine, theirs, "--key", key)
    assert code == 1
    assert output.startswith("refused at step A6: a fork: two signed checkpoints")
    assert log.note() in output
    assert fork.note() in output
    code, value = run_json(capsys, "compare", theirs, old, "--key", key)
    assert (code, value["fork"], value["notes"]) == (1, True, [log.note(600), fork.note()])
    proof = [from_base64(item) for item in value["consistency_proof"]]
    root = from_base64(value["root_at_smaller_size"])
    new = open_checkpoint(value["notes"][1], trust.key)[0]
    verify_consistency(600, root, new.size, new.root, proof)


def test_the_command_cannot_tell_or_is_given_nothing_signed(
    capsys: Any, log: MadeLog, tmp_path: Path, golden: Any
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(log.note(600))
    new.write_text(log.note())
    arguments = ("compare", old, new, "--key", golden["vkey"])
    code, output = run(capsys, *arguments)
    assert code == 2
    assert "give the folder or the address of a log or mirror that holds 700 entries" in output
    new.write_text(log.note().replace("\n700\n", "\n701\n"))
    assert run_json(capsys, *arguments)[1]["step"] == "A1"
    new.write_text("{}")
    assert run(capsys, *arguments)[0] == 2
    assert main([*map(str, arguments[:2]), str(tmp_path), "--key", golden["vkey"]]) == 2
