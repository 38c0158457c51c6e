"""Fetching with the real clients: refused when forged, one plain sentence when offline."""

import base64
import hashlib
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import fetch, kafka_jars
from deploy.embedded.cache import Cache
from deploy.embedded.errors import ChecksumMismatchError, EngineError, OfflineError
from deploy.embedded.events import silent

CLOSED_PROXY = "http://127.0.0.1:9"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, CLOSED_PROXY)
    for name in ("NO_PROXY", "no_proxy", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


def assert_one_sentence(error: pytest.ExceptionInfo[EngineError]) -> None:
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 300


async def test_pip_without_network(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(OfflineError, match="PostgreSQL 18 is not in the cache") as error:
        await fetch.POSTGRESQL.ensure(Cache(tmp_path, silent))
    assert_one_sentence(error)
    assert "postgresql" in (tmp_path / "fetch.log").read_text().lower()


async def test_jars_without_network(
    tmp_path: Path, no_network: None, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = await fetch_tools(engine_cache, monkeypatch)
    with pytest.raises(OfflineError, match=r"Apache Kafka 4\.4\.0 is not in the cache") as error:
        await fetch.ensure_kafka_jars(Cache(tmp_path, silent), tools)
    assert_one_sentence(error)


async def fetch_tools(engine_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as online:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            online.delenv(name, raising=False)
        return await fetch.KAFKA_TOOLS.ensure(Cache(engine_cache, silent))


def wheel_of(folder: Path, name: str) -> str:
    """A tiny package in a folder that pip is told to look into; its SHA-256."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        wheel.writestr(
            f"{name}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("forged", [False, True])
async def test_pip_refuses_what_is_not_pinned(
    forged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = wheel_of(tmp_path, "engine")
    pinned = "0" * 64 if forged else sha256
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "engine.txt").write_text(f"engine==1.0 --hash=sha256:{pinned}\n")
    monkeypatch.setattr(fetch, "HERE", tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    cache = Cache(tmp_path / "cache", silent)
    packages = fetch.PythonPackages("engine", "The engine", 0)
    if not forged:
        assert (await packages.ensure(cache) / "engine.py").exists()
        return
    with pytest.raises(ChecksumMismatchError, match="The engine was refused") as error:
        await packages.ensure(cache)
    assert_one_sentence(error)
    assert not [path for path in cache.root.iterdir() if path.name.startswith("engine-")] or all(
        path.suffix == ".partial" for path in cache.root.iterdir() if path.is_dir()
    )


class Registry:
    """Stands for jgo's context: every artefact is the same file, made anew each time."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self._file = folder / "resolved.jar"
        self._content = content
        self.resolved = 0

    def project(self, _group: str, _artifact: str) -> "Registry":
        return self

    def at_version(self, _version: str) -> "Registry":
        return self

    def artifact(self) -> "Registry":
        return self

    def resolve(self) -> Path:
        self.resolved += 1
        self._file.write_bytes(self._content)
        return self._file


def test_a_jar_is_fetched_once_and_a_forged_one_refused(tmp_path: Path) -> None:
    registry: Any = Registry(tmp_path, b"genuine")
    line = f"org.example:broker:1.0 {hashlib.sha256(b'genuine').hexdigest()}"
    for _ in range(2):
        kafka_jars.fetch_jar(registry, line, tmp_path)
    assert (tmp_path / "broker-1.0.jar").read_bytes() == b"genuine"
    assert registry.resolved == 1
    (tmp_path / "broker-1.0.jar").write_bytes(b"cut sho")
    kafka_jars.fetch_jar(registry, line, tmp_path)
    assert (tmp_path / "broker-1.0.jar").read_bytes() == b"genuine"
    forged: Any = Registry(tmp_path, b"forged")
    with pytest.raises(SystemExit, match=r"checksum mismatch: org.example:other:1.0"):
        kafka_jars.fetch_jar(forged, line.replace("broker", "other"), tmp_path)
    assert not (tmp_path / "other-1.0.jar").exists()


def test_the_library_is_checked_before_it_is_unpacked(tmp_path: Path) -> None:
    library = tmp_path / "libspicedb.so"
    library.write_bytes(b"code")
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        package.add(library, "package/prebuilds/../../../libspicedb.so")
    genuine = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    fetch.check_integrity(archive, genuine, "SpiceDB")
    target = tmp_path / "target"
    target.mkdir()
    fetch.unpack_library(archive, target)
    assert [path.name for path in target.iterdir()] == ["libspicedb.so"]
    with pytest.raises(ChecksumMismatchError, match="SpiceDB was refused"):
        fetch.check_integrity(archive, genuine[::-1], "SpiceDB")
    assert not archive.exists()


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("npm error code ENOTFOUND\nnpm error network", OfflineError),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", ChecksumMismatchError),
        ("checksum mismatch: a:b:c", ChecksumMismatchError),
        ("urllib3.exceptions.NewConnectionError(...)", OfflineError),
    ],
)
def test_what_clients_print_is_understood(printed: str, kind: type[EngineError]) -> None:
    assert type(fetch.explain_failure("It", printed)) is kind


async def test_an_unknown_failure_quotes_the_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('first'); raise SystemExit('disk is full')"]
    with pytest.raises(EngineError, match="It could not be fetched: disk is full"):
        await fetch.run_client(Cache(tmp_path, silent), "It", command, tmp_path)
