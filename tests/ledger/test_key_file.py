"""Signing keys at rest: what the file shows, and what opens it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amply_verify.note import Signer
from ledger.key_file import KeyFileError, SigningKey, new_key, seal, unseal
from tests.ledger.making import ORIGIN

NOW = datetime(2027, 3, 1, tzinfo=UTC)
PASSPHRASE = b"correct horse battery staple"
WORK = 16
KEYS = [SigningKey(bytes([number]) * 32, NOW) for number in (1, 2)]
FILE = seal(KEYS, ORIGIN, PASSPHRASE, WORK)


def test_keys_come_back_in_their_order_and_lie_there_under_another_salt_each_time() -> None:
    assert unseal(FILE, ORIGIN, PASSPHRASE) == KEYS
    assert seal(KEYS, ORIGIN, PASSPHRASE, WORK) != FILE
    assert new_key(NOW).seed != new_key(NOW).seed


def test_the_file_shows_verifier_keys_and_no_seed() -> None:
    shown = [key["vkey"] for key in json.loads(FILE)["keys"]]
    assert shown == [str(Signer(ORIGIN, key.seed).key) for key in KEYS]
    for key in KEYS:
        assert key.seed not in FILE and key.seed.hex().encode() not in FILE


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(FILE) | changes).encode()


def exchanged() -> bytes:
    """One key's ciphertext under the other's name."""
    value = json.loads(FILE)
    first, second = value["keys"]
    first["sealed"], second["sealed"] = second["sealed"], first["sealed"]
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("data", "passphrase", "why"),
    [
        (FILE, b"another passphrase", "the passphrase is not that of the key file"),
        (FILE, b"short", "at least 16 bytes"),
        (exchanged(), PASSPHRASE, "the passphrase is not that of the key file"),
        (changed(format="amply/log-keys/v2"), PASSPHRASE, "not of the format"),
        (changed(keys=[]), PASSPHRASE, "holds no key"),
        (changed(n=1 << 40), PASSPHRASE, "unreasonable amount"),
        (changed(n=1000), PASSPHRASE, "unreasonable amount"),
        (changed(salt="zz"), PASSPHRASE, "does not hold encrypted keys"),
        (changed(keys="x"), PASSPHRASE, "does not hold encrypted keys"),
        (b"07" * 32 + b"\n", PASSPHRASE, "`amply up` encrypts one in plain hex"),
        (b"", PASSPHRASE, "does not hold encrypted keys"),
        (b"\xff", PASSPHRASE, "does not hold encrypted keys"),
    ],
    ids=range(12),  # Not by the data: its salt is another one in each process of the tests.
)
def test_what_does_not_open_says_why(data: bytes, passphrase: bytes, why: str) -> None:
    with pytest.raises(KeyFileError, match=why):
        unseal(data, ORIGIN, passphrase)


def test_a_key_of_another_log_is_refused() -> None:
    with pytest.raises(KeyFileError, match="of another log"):
        unseal(FILE, "another.example/log/0", PASSPHRASE)


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_a_changed_file_gives_these_keys_or_none(position: int, change: int) -> None:
    data = FILE[:position] + bytes([FILE[position] ^ change]) + FILE[position + 1 :]
    try:
        found = unseal(data, ORIGIN, PASSPHRASE)
    except KeyFileError:
        return
    assert [key.seed for key in found] == [key.seed for key in KEYS]
