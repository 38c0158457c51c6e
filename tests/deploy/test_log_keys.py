"""The log's keys in a data directory: drawn encrypted, or taken over from plain hex."""

import os
from pathlib import Path

import pytest

from deploy.deployment import ORIGIN, DataDirectory
from ledger.key_file import unseal

SEED = bytes(range(32))


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path)
    directory.create()
    return directory


def seeds(data: DataDirectory) -> list[bytes]:
    passphrase = data.log_passphrase_file().read_bytes().strip()
    return [key.seed for key in unseal(data.log_key_file().read_bytes(), ORIGIN, passphrase)]


def test_a_key_is_drawn_once_and_lies_there_encrypted(data: DataDirectory) -> None:
    first = seeds(data)
    assert len(first) == 1
    assert seeds(data) == first
    path = data.log_key_file()
    assert path.stat().st_mode & 0o777 == 0o600
    assert first[0].hex() not in path.read_text()


def test_a_key_in_plain_hex_is_encrypted_and_stays_the_same(data: DataDirectory) -> None:
    path = data.keys / "log-0.key"
    path.write_text(SEED.hex() + "\n")
    assert seeds(data) == [SEED]
    assert not any(SEED.hex() in file.read_text() for file in data.keys.iterdir())
    assert seeds(data) == [SEED]


def test_the_passphrase_may_lie_elsewhere(
    data: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "mounted"
    elsewhere.write_text("of a secret store\n")
    monkeypatch.setitem(os.environ, "AMPLY_LOG_PASSPHRASE", str(elsewhere))
    assert len(seeds(data)) == 1
    assert [file.name for file in data.keys.iterdir()] == ["log-0.key"]
