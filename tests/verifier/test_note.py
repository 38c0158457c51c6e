from collections.abc import Callable
from typing import Any

import pytest

from amply_verify.errors import NoteError
from amply_verify.note import (
    COSIGNATURE,
    Checkpoint,
    Signer,
    VerifierKey,
    open_checkpoint,
    parse_checkpoint,
    parse_verifier_key,
    split_note,
    verifier_key,
    verify_note,
)
from amply_verify.tree import root_of

SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_the_vectors_checkpoints_are_signed_to_the_byte(
    load: Callable[[str], Any], golden_leaves: list[bytes], log_signer: Signer, log_key: VerifierKey
) -> None:
    cases = load("checkpoints.json")["checkpoints"]
    assert [case["size"] for case in cases][-1] == 300
    for case in cases:
        size = case["size"]
        checkpoint = Checkpoint(log_key.name, size, root_of(golden_leaves[:size]))
        assert log_signer.sign(checkpoint) == case["note"]
        assert open_checkpoint(case["note"], log_key) == (checkpoint, [])


def test_the_vectors_cosignature(
    load: Callable[[str], Any],
    log_signer: Signer,
    witness_signer: Signer,
    golden_leaves: list[bytes],
) -> None:
    case = load("checkpoints.json")["cosigned"]
    checkpoint = Checkpoint(log_signer.key.name, 300, root_of(golden_leaves))
    line = witness_signer.line(checkpoint.text, case["time"])
    assert log_signer.sign(checkpoint) + line == case["note"]
    opened, cosigned = open_checkpoint(case["note"], log_signer.key, [witness_signer.key])
    assert opened == checkpoint
    assert [(who.name, who.time_s) for who in cosigned] == [(witness_signer.key.name, case["time"])]


def test_keys_read_back(golden: Any, log_signer: Signer, witness_signer: Signer) -> None:
    assert str(log_signer.key) == golden["vkey"]
    assert str(witness_signer.key) == golden["witness_vkey"]
    for text in (golden["vkey"], golden["witness_vkey"], SPEC_KEY):
        assert str(parse_verifier_key(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b",
        SPEC_KEY[:-1],
        SPEC_KEY.replace("530d903a", "530D903A"),
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY.replace("example.com", "example com"),
        SPEC_KEY.replace("example.com/foo", ""),
        SPEC_KEY.replace("example.com", "example.org"),
        "a+00000000+AQ==",
        "a+00000000+AeE=",
    ],
)
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_verifier_key(text)


@pytest.fixture
def signed(log_signer: Signer) -> str:
    return log_signer.sign(Checkpoint(log_signer.key.name, 7, bytes(32)))


def test_unknown_lines_are_ignored(signed: str, log_key: VerifierKey) -> None:
    other = Signer("other.example", bytes(32))
    text, _ = split_note(signed)
    assert open_checkpoint(signed + other.line(text) * 99, log_key)[0].size == 7
    with pytest.raises(NoteError, match="100 signature lines"):
        open_checkpoint(signed + other.line(text) * 100, log_key)


def test_a_wrong_signature_refuses_also_beside_a_right_one(signed: str, log_signer: Signer) -> None:
    wrong = log_signer.line("another text\n")
    for note in (signed + wrong, signed.replace("— ", wrong + "— ", 1)):
        with pytest.raises(NoteError, match="wrong"):
            open_checkpoint(note, log_signer.key)


def test_a_note_without_a_known_signature_is_not_trusted(signed: str) -> None:
    stranger = verifier_key("ledger.example.org/log/0", bytes(32))
    assert verify_note(signed, [stranger])[1] == []
    with pytest.raises(NoteError, match="not signed by"):
        open_checkpoint(signed, stranger)


@pytest.mark.parametrize(
    "line",
    [
        "- name AAAAAAAA",
        "—  name AAAAAAAA",
        "— name",
        "— name AAAA",
        "— name AAAAAAA",
        "— na+me AAAAAAAA",
        "— na\u00a0me AAAAAAAA",
        "— name AAAAAAAA ",
        "",
    ],
)
def test_a_malformed_signature_line_refuses_the_note(
    signed: str, log_key: VerifierKey, line: str
) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(f"{signed}{line}\n", log_key)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "o\n1\nAAAA\n",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "o\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "o\n9007199254740992\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n",
        "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_the_largest_size_is_read() -> None:
    text = "o\n9007199254740991\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert parse_checkpoint(text).text == text


def test_logs_sign_without_a_time_and_witnesses_with_one(
    log_signer: Signer, witness_signer: Signer
) -> None:
    with pytest.raises(NoteError):
        log_signer.line("text\n", 5)
    with pytest.raises(NoteError):
        witness_signer.line("text\n")
    assert witness_signer.key.algorithm == COSIGNATURE


def test_another_origin_under_the_right_key_is_refused(log_signer: Signer) -> None:
    note = log_signer.sign(Checkpoint("other.example/log/0", 7, bytes(32)))
    with pytest.raises(NoteError, match=r"other\.example"):
        open_checkpoint(note, log_signer.key)
