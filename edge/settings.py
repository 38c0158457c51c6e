"""What the edge is told at its start, read once from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from contracts import environments
from contracts.environments import Environment as Environment
from contracts.money import EXPONENTS, STANDARD
from edge.bounds import Bounds
from edge.limits import policies
from edge.limits import settings as limit_settings
from edge.limits.policies import Policies
from edge.limits.rules import Limits
from edge.tokens import settings as provider_settings
from edge.tokens.models import ProviderSettings

#: While a secret is rolled there are two.
SECRETS_MAX: Final = 2
PROCESSES_MAX: Final = 64
_MASTER_KEY: Final = re.compile(r"[0-9a-f]{64}\n?")
_ORIGIN: Final = re.compile(r"[!-~]+/log/[0-9]+")


class SettingsError(ValueError):
    """A setting is missing or malformed; the text names it and what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`public` holds the log's static files; `url` is the base of our links, without a slash.

    The Stripe secrets verify webhooks of our own account and of connected ones; none: none come.
    `currencies` are those that gifts are taken in; `stripe_publishable_key` is the platform's, for
    donors who confirm on the client. People sign in at `provider`; None: nobody does.
    `certificate` and its key are files; None: the listener is plain, behind hops that speak TLS.
    """

    postgres: str = field(repr=False)
    spicedb: str
    spicedb_token: str = field(repr=False)
    master_key: bytes = field(repr=False)
    stripe_account_secrets: tuple[str, ...] = field(repr=False)
    stripe_connect_secrets: tuple[str, ...] = field(repr=False)
    environment: Environment
    public: Path
    log_origin: str
    url: str
    currencies: frozenset[str] = STANDARD
    stripe_publishable_key: str | None = None
    limits: Limits = field(default_factory=Limits)
    policies: Policies = field(default_factory=Policies)
    bounds: Bounds = field(default_factory=Bounds)
    provider: ProviderSettings | None = None
    requires_https: bool = False
    certificate: tuple[Path, Path] | None = None
    host: str = "127.0.0.1"
    port: int = 8420
    processes: int = 1
    management_host: str = "127.0.0.1"
    management_port: int | None = None
    outbox_age_s_max: float = 30.0


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings of this process; SettingsError with one sentence when one is wrong.

    What the deployment's mode refuses is told all at once, one sentence each.
    """
    try:
        mode = environments.mode_of(environment)
        environments.require_allowed(environment, lambda path: Path(path).read_text("utf-8"))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    rules = environments.RULES[mode]
    origin = _needed(environment, "AMPLY_LOG_ORIGIN", "the log's name, `<host>/log/<number>`")
    if not _ORIGIN.fullmatch(origin):
        raise SettingsError("AMPLY_LOG_ORIGIN must have the form `<host>/log/<number>`.")
    return Settings(
        postgres=_needed(environment, "AMPLY_POSTGRES", "the address of PostgreSQL"),
        spicedb=_needed(environment, "AMPLY_SPICEDB", "SpiceDB's host:port"),
        spicedb_token=_needed(environment, "AMPLY_SPICEDB_TOKEN", "SpiceDB's preshared key"),
        master_key=_master_key(
            Path(_needed(environment, "AMPLY_MASTER_KEY", "the file of the master key"))
        ),
        stripe_account_secrets=_secrets(environment, "AMPLY_STRIPE_ACCOUNT_SECRETS"),
        stripe_connect_secrets=_secrets(environment, "AMPLY_STRIPE_CONNECT_SECRETS"),
        environment=rules.environment,
        public=Path(_needed(environment, "AMPLY_PUBLIC", "the folder of the log's files")),
        log_origin=origin,
        url=_url(environment),
        currencies=_currencies(environment),
        stripe_publishable_key=environment.get("AMPLY_STRIPE_PUBLISHABLE_KEY", "").strip() or None,
        limits=_limits(environment, rules),
        policies=_policies(environment, rules),
        bounds=_bounds(environment, is_live=rules.environment == "live"),
        provider=_provider(environment, allows_plain_http=rules.http),
        requires_https=not rules.http,
        certificate=_certificate(environment),
        host=environment.get("AMPLY_HOST", "127.0.0.1"),
        port=_port("AMPLY_PORT", _needed(environment, "AMPLY_PORT", "the port to listen on")),
        processes=_processes(environment),
        management_host=environment.get("AMPLY_MANAGEMENT_HOST", "127.0.0.1"),
        management_port=_management_port(environment),
    )


def _needed(environment: Mapping[str, str], name: str, meaning: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set: give {meaning}.")
    return value


def _certificate(environment: Mapping[str, str]) -> tuple[Path, Path] | None:
    names = ("AMPLY_TLS_CERTIFICATE", "AMPLY_TLS_KEY")
    certificate, key = (environment.get(name, "").strip() for name in names)
    if bool(certificate) != bool(key):
        raise SettingsError("AMPLY_TLS_CERTIFICATE and AMPLY_TLS_KEY go together.")
    return (Path(certificate), Path(key)) if certificate else None


def _port(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise SettingsError(f"{name} must be a port number, 0 to 65535.")
    return int(text)


def _processes(environment: Mapping[str, str]) -> int:
    text = environment.get("AMPLY_EDGE_PROCESSES", "").strip() or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= PROCESSES_MAX):
        raise SettingsError(f"AMPLY_EDGE_PROCESSES must be a number from 1 to {PROCESSES_MAX}.")
    return int(text)


def _management_port(environment: Mapping[str, str]) -> int | None:
    text = environment.get("AMPLY_MANAGEMENT_PORT", "").strip()
    return _port("AMPLY_MANAGEMENT_PORT", text) if text else None


def _url(environment: Mapping[str, str]) -> str:
    url = _needed(environment, "AMPLY_URL", "the public base address").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise SettingsError("AMPLY_URL must be an http or https address.")
    return url


def _currencies(environment: Mapping[str, str]) -> frozenset[str]:
    words = environment.get("AMPLY_CURRENCIES", "").replace(",", " ").split()
    named = frozenset(words or ["standard"]) - {"standard"}
    if unknown := sorted(named - set(EXPONENTS)):
        raise SettingsError(
            f"AMPLY_CURRENCIES names {unknown[0]}, which Stripe does not charge in."
        )
    return named | STANDARD if "standard" in words or not words else named


def _limits(environment: Mapping[str, str], rules: environments.Rules) -> Limits:
    try:
        return limit_settings.load({**environment, "AMPLY_ENVIRONMENT": rules.environment})
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _policies(environment: Mapping[str, str], rules: environments.Rules) -> Policies:
    text = environment.get("AMPLY_RATE_LIMITS", "")
    try:
        return policies.read(text, by_default=not rules.without_limits)
    except ValueError as error:
        raise SettingsError(f"AMPLY_RATE_LIMITS: {error}") from error


def _bounds(environment: Mapping[str, str], *, is_live: bool) -> Bounds:
    usual = Bounds(connections_of_address=256, requests_of_address=128) if is_live else Bounds()

    def number(name: str, default: int, most: int = 100_000) -> int:
        text = environment.get(name, "").strip() or str(default)
        if not (text.isascii() and text.isdigit() and int(text) <= most):
            raise SettingsError(f"{name} must be a whole number from 0 to {most}.")
        return int(text)

    return replace(
        usual,
        connections=number("AMPLY_CONNECTIONS_MAX", usual.connections) or usual.connections,
        connections_of_address=number(
            "AMPLY_CONNECTIONS_OF_ADDRESS_MAX", usual.connections_of_address
        ),
        requests=number("AMPLY_REQUESTS_MAX", usual.requests) or usual.requests,
        requests_of_address=number("AMPLY_REQUESTS_OF_ADDRESS_MAX", usual.requests_of_address),
        drain_s=number("AMPLY_DRAIN_S", 5 if is_live else 0, 60),
    )


def _provider(
    environment: Mapping[str, str], *, allows_plain_http: bool
) -> ProviderSettings | None:
    url = _url(environment)
    try:
        return provider_settings.load(environment, url=url, allows_plain_http=allows_plain_http)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _secrets(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = environment.get(name, "").strip()
    secrets = tuple(part.strip() for part in text.split(",")) if text else ()
    # An empty secret would make every forged signature computable.
    if any(len(secret) < 16 for secret in secrets):
        raise SettingsError(f"{name} holds a secret of under 16 characters.")
    if len(secrets) > SECRETS_MAX:
        raise SettingsError(f"{name} holds more than {SECRETS_MAX} secrets: an old and a new one.")
    return secrets


def _master_key(path: Path) -> bytes:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"AMPLY_MASTER_KEY names {path}, which cannot be read.") from error
    if not _MASTER_KEY.fullmatch(text):
        raise SettingsError(f"AMPLY_MASTER_KEY names {path}, which does not hold 64 hex digits.")
    return bytes.fromhex(text.strip())
