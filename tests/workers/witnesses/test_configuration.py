"""Which policy files are accepted, and what is said of the others."""

from pathlib import Path

import pytest

from amply_verify.note import COSIGNATURE, Signer
from workers.settings import SettingError
from workers.witnesses.configuration import Configuration, load

ORIGIN = "log.example/log/0"
LOG = Signer(ORIGIN, bytes(32)).key
W1, W2 = (Signer(f"w{n}.example", bytes([n]) * 32, COSIGNATURE).key for n in (1, 2))


def loaded(folder: Path, text: str, **more: str) -> Configuration:
    path = folder / "policy"
    path.write_text(text)
    return load({"AMPLY_WITNESSES": str(path), "AMPLY_LOG_ORIGIN": ORIGIN, **more})


def test_those_with_an_address_are_asked(tmp_path: Path) -> None:
    text = f"log {LOG}\nwitness a {W1} https://w1.example/x/\nwitness b {W2}\nquorum a\n"
    configuration = loaded(tmp_path, text)
    assert [(one.name, one.key, one.url) for one in configuration.witnesses] == [
        ("a", W1, "https://w1.example/x/add-checkpoint")
    ]
    assert configuration.interval_s == 45


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"witness a {W1}\nquorum a", "no address of any witness"),
        ("quorum none", "no address of any witness"),
        (
            f"witness a {W1} https://w/\nwitness b {W2}\ngroup g all a b\nquorum g",
            "quorum of witnesses without address",
        ),
        (f"witness a {W1} ftp://w/\nquorum a", "the address of a is not of the form"),
        (f"witness a {W1} file:///etc/passwd\nquorum a", "not of the form"),
        (f"witness a {W1} https:///x\nquorum a", "not of the form"),
        (f"witness a {W1} https://w:99999/\nquorum a", "not of the form"),
        (f"witness a {W1} https://me:secret@w/\nquorum a", "more than host, port and path"),
        (f"witness a {W1} https://w/?x=1\nquorum a", "more than host, port and path"),
        (f"log {Signer('else', bytes(32)).key}\nquorum none", "lists logs, but not log.example"),
        ("quorum a", "line 1: a is not defined"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(SettingError, match=why) as caught:
        loaded(tmp_path, text)
    assert "secret" not in str(caught.value)


def test_a_missing_file_and_a_wrong_interval_are_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot read"):
        load({"AMPLY_WITNESSES": str(tmp_path / "none"), "AMPLY_LOG_ORIGIN": ORIGIN})
    with pytest.raises(SettingError, match="between 1 and 60"):
        loaded(tmp_path, f"witness a {W1} https://w/\nquorum a", AMPLY_WITNESS_INTERVAL_S="61")
