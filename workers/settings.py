"""What a process is told from outside: `AMPLY_*` environment variables, read once at start.

A missing or malformed variable ends the start with one sentence that says what to set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from contracts import addresses, environments
from topics.connections import kafka

PORT_MAX: Final = 65_535


class SettingError(ValueError):
    """A variable is missing or malformed. The text names it and says what it should hold."""


def required(variables: Mapping[str, str], name: str, meaning: str) -> str:
    """The value of a variable that must be set; `meaning` completes "set it to ..."."""
    value = variables.get(name, "").strip()
    if not value:
        raise SettingError(f"{name} is not set: set it to {meaning}")
    return value


def engine_address(
    variables: Mapping[str, str], name: str, engine: str, meaning: str
) -> addresses.Address:
    """Where an engine of `contracts.addresses` is and how it is reached."""
    try:
        return addresses.parse(required(variables, name, meaning), engine)
    except ValueError as error:
        raise SettingError(f"{name} {error}") from None


def integer(variables: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number between `least` and `most`, `default` when the variable is not set."""
    value = variables.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise SettingError(f"{name} is not a whole number") from None
    if not least <= number <= most:
        raise SettingError(f"{name} must lie between {least} and {most}")
    return number


def seconds(variables: Mapping[str, str], name: str, default: float) -> float:
    """A positive number of seconds, `default` when the variable is not set."""
    value = variables.get(name, "").strip()
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        raise SettingError(f"{name} is not a number of seconds") from None
    if not 0 < number <= 86_400:  # A day; also refuses infinity and not-a-number.
        raise SettingError(f"{name} must be more than 0 and at most 86400 seconds")
    return number


def secret_file(variables: Mapping[str, str], name: str, meaning: str) -> bytes:
    """The 32 bytes in a file that holds them as 64 hexadecimal characters."""
    path = Path(required(variables, name, meaning))
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise SettingError(f"{name}: cannot read {path}: {error.strerror}") from None
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise SettingError(f"{name}: {path} does not hold 64 hexadecimal characters")
    return secret


def passphrase_file(variables: Mapping[str, str], name: str, meaning: str) -> bytes:
    """The passphrase in a file, without the line feed at its end."""
    path = Path(required(variables, name, meaning))
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise SettingError(f"{name}: cannot read {path}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Settings:
    """What every process needs; `variables` holds all `AMPLY_*` for what only one needs.

    `instance` tells processes of one worker apart: each keeps its partitions over a restart.
    `metrics_port` None: no health port.
    """

    postgres: str = field(repr=False)
    kafka: str = field(repr=False)
    metrics_port: int | None
    instance: str
    variables: Mapping[str, str] = field(repr=False)


def _kafka(variables: Mapping[str, str]) -> None:
    try:
        kafka.read(required(variables, "AMPLY_KAFKA", "Kafka's address, host:port"))
    except ValueError as error:
        raise SettingError(f"AMPLY_KAFKA {error}") from None


def _environment(variables: Mapping[str, str]) -> str:
    """`test` or `live`, by the mode; SettingError that lists all that the mode refuses."""
    try:
        environments.require_allowed(variables, lambda path: Path(path).read_text("utf-8"))
        return environments.environment_of(variables)
    except ValueError as error:
        raise SettingError(str(error)) from None


def load(environment: Mapping[str, str]) -> Settings:
    """The settings in these environment variables; SettingError when one is wrong."""
    variables: dict[str, Any] = {
        name: value for name, value in environment.items() if name.startswith("AMPLY_")
    }
    postgres = required(variables, "AMPLY_POSTGRES", "a DSN, postgresql://user:password@host/name")
    if urlsplit(postgres).scheme not in {"postgresql", "postgres"}:
        raise SettingError("AMPLY_POSTGRES is not a DSN of the form postgresql://...")
    _kafka(variables)
    variables["AMPLY_ENVIRONMENT"] = _environment(variables)
    instance = variables.get("AMPLY_INSTANCE", "").strip() or "0"
    if not instance.replace("-", "").isalnum() or len(instance) > 64:
        raise SettingError("AMPLY_INSTANCE may hold up to 64 letters, digits and hyphens")
    return Settings(
        postgres=postgres,
        kafka=variables["AMPLY_KAFKA"].strip(),
        metrics_port=integer(variables, "AMPLY_METRICS_PORT", 0, least=1, most=PORT_MAX) or None,
        instance=instance,
        variables=variables,
    )
