"""Engines of their own that speak TLS, under an authority of our own."""

from pathlib import Path

import pytest

from tests.certificates import Authority


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "ours")


@pytest.fixture(scope="module")
def other_authority(folder: Path) -> Authority:
    return Authority(folder, "others")
