"""What a data directory remembers: ports, credentials, its holder, what was running."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.errors import DirectoryInUseError, EngineError
from deploy.embedded.processes import process_identity
from deploy.embedded.state import LOOPBACK, DirectoryLock, Running, State, free_port, load_secrets


def test_ports_are_remembered_and_chosen_anew_when_somebody_took_one(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    first, other = state.port("postgres"), state.port("kafka")
    assert first != other
    assert State.load(tmp_path).port("postgres") == first
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, first))
        stranger.listen()
        assert State.load(tmp_path).port("postgres") != first
    assert State.load(tmp_path).port("kafka") == other


def test_a_free_port_is_none_of_those_taken() -> None:
    assert free_port(taken=[port for port in range(20_000, 32_000) if port % 2]) % 2 == 0


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "engines.json").write_text('{"ports": ')
    with pytest.raises(EngineError, match=r"engines\.json is damaged .*: remove that file"):
        State.load(tmp_path)


def test_credentials_are_random_private_and_kept(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    assert len(set(first.values())) == len(first) == 3
    assert min(len(secret) for secret in first.values()) >= 32
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert load_secrets(tmp_path / "other") != first


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    holder, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    holder.take()
    with pytest.raises(DirectoryInUseError, match=f"is in use by process {os.getpid()}: stop it"):
        second.take()
    holder.release()
    second.take()
    second.release()


@pytest.fixture
def stray() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


async def test_what_an_earlier_starter_left_is_ended(
    tmp_path: Path, stray: subprocess.Popen[bytes]
) -> None:
    state = State.load(tmp_path)
    identity = process_identity(stray.pid)
    assert identity is not None
    state.running["kafka"] = Running(stray.pid, identity, int(signal.SIGTERM))
    state.save()
    later = State.load(tmp_path)
    assert await later.end_survivors() == ["kafka"]
    assert stray.wait(10) == -signal.SIGTERM
    assert json.loads((tmp_path / "engines.json").read_text())["running"] == {}


async def test_a_reused_process_id_is_left_alone(
    tmp_path: Path, stray: subprocess.Popen[bytes]
) -> None:
    state = State.load(tmp_path)
    state.running["kafka"] = Running(stray.pid, "another process", int(signal.SIGTERM))
    assert await state.end_survivors() == []
    assert stray.poll() is None
