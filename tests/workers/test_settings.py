"""Settings: one clear sentence for whatever is missing or malformed."""

import subprocess
import sys
from pathlib import Path

import pytest

from workers import settings
from workers.__main__ import PROCESSES, WORKERS
from workers.runtime import limits
from workers.settings import SettingError

GOOD = {
    "AMPLY_MODE": "development",
    "AMPLY_POSTGRES": "postgresql://u:p@h/d",
    "AMPLY_KAFKA": "127.0.0.1:9092",
    "HOME": "/",
}


def test_good_settings_are_read_and_keep_secrets_out_of_sight() -> None:
    loaded = settings.load(GOOD | {"AMPLY_METRICS_PORT": "9100", "AMPLY_STRIPE_KEY": "secret"})
    assert (loaded.metrics_port, loaded.instance, loaded.kafka) == (9100, "0", "127.0.0.1:9092")
    assert "HOME" not in loaded.variables
    assert "secret" not in repr(loaded) and "u:p" not in repr(loaded)
    assert settings.load(GOOD).metrics_port is None
    assert settings.load(GOOD).variables["AMPLY_ENVIRONMENT"] == "test", "by the mode"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"AMPLY_POSTGRES": ""}, "AMPLY_POSTGRES is not set: set it to a DSN"),
        ({"AMPLY_POSTGRES": "mysql://h/d"}, "AMPLY_POSTGRES is not a DSN"),
        ({"AMPLY_KAFKA": "nowhere"}, "AMPLY_KAFKA is not of the form host:port"),
        ({"AMPLY_KAFKA": "h:0"}, "AMPLY_KAFKA is not of the form host:port"),
        ({"AMPLY_KAFKA": "h:1,x"}, "AMPLY_KAFKA is not of the form host:port"),
        ({"AMPLY_KAFKA": "SASL_SSL://h:1"}, "AMPLY_KAFKA needs user and password"),
        (
            {"AMPLY_KAFKA": "SASL_SSL://u:p@h:1?mechanism=PLAIN"},
            "AMPLY_KAFKA names a mechanism",
        ),
        ({"AMPLY_MODE": ""}, "AMPLY_MODE is not set"),
        ({"AMPLY_MODE": "live"}, "AMPLY_MODE must be one of"),
        (
            {"AMPLY_MODE": "production"},
            "production refuses these settings:\n  AMPLY_POSTGRES reaches .*\n  AMPLY_KAFKA reach",
        ),
        ({"AMPLY_METRICS_PORT": "many"}, "AMPLY_METRICS_PORT is not a whole number"),
        ({"AMPLY_METRICS_PORT": "70000"}, "AMPLY_METRICS_PORT must lie between 1 and 65535"),
        ({"AMPLY_INSTANCE": "a b"}, "AMPLY_INSTANCE may hold"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, str], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        settings.load(GOOD | changes)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", "86401"])
def test_seconds_are_positive_and_bounded(value: str) -> None:
    with pytest.raises(SettingError, match="AMPLY_CALL_S_MAX"):
        limits.load({"AMPLY_CALL_S_MAX": value})
    assert limits.load({}) == limits.Limits()


def test_a_secret_file_holds_32_bytes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content in ("", "xy" * 32, "ab" * 31, "é"):
        path.write_text(content)
        with pytest.raises(SettingError, match="64 hexadecimal"):
            settings.secret_file({"AMPLY_LOG_KEY": str(path)}, "AMPLY_LOG_KEY", "a file")
    path.write_text("ab" * 32 + "\n")
    assert settings.secret_file({"K": str(path)}, "K", "a file") == b"\xab" * 32
    with pytest.raises(SettingError, match="cannot read"):
        settings.secret_file({"K": str(tmp_path / "none")}, "K", "a file")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["relay", "fees"]])
def test_an_unknown_name_is_answered_with_the_known_ones(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in WORKERS | PROCESSES)


def test_a_missing_setting_ends_the_start_with_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers", "relay"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": ""},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("relay: AMPLY_POSTGRES is not set")


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_of_its_own_does_not_import_faststream(name: str) -> None:
    code = (
        f"import sys; from workers.__main__ import entry_of; entry_of({name!r});"
        " print('faststream' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
