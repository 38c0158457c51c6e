"""Where a deployment stands, and what each such place allows: one table, and who must keep it.

Every process and command asks `refusals` before it does anything. A place that is not told is
none: nothing starts. Pure but for the files of secrets, which `read` reads.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Literal, get_args
from urllib.parse import unquote, urlsplit

from contracts.addresses import is_loopback, reach_of

Mode = Literal["development", "sandbox", "staging", "production"]
Environment = Literal["test", "live"]

#: What the secrets begin with that this project's own tools draw for one machine.
DEVELOPMENT_MARK: Final = "development-"
DEVELOPMENT_KEY_MARK: Final = b"amplydev".hex()
STRIPE: Final = "https://api.stripe.com"
#: Names that mean nothing beyond one machine or a book (RFC 6761, RFC 2606).
_NAMES_OF_NOWHERE: Final = ("localhost", "test", "example", "invalid", "local")

Read = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a deployment may have. `plain` says where an engine may be reached in clear."""

    environment: Environment
    development_secrets: bool
    plain: Literal["anywhere", "on_loopback", "nowhere"]
    http: bool
    other_stripe: bool
    faults: bool
    moves_clock: bool
    without_limits: bool


RULES: Final[Mapping[Mode, Rules]] = {
    "development": Rules(
        environment="test",
        development_secrets=True,
        plain="anywhere",
        http=True,
        other_stripe=True,
        faults=True,
        moves_clock=True,
        without_limits=True,
    ),
    "sandbox": Rules(
        environment="test",
        development_secrets=False,
        plain="on_loopback",
        http=False,
        other_stripe=True,
        faults=True,
        moves_clock=True,
        without_limits=True,
    ),
    "staging": Rules(
        environment="test",
        development_secrets=False,
        plain="nowhere",
        http=False,
        other_stripe=False,
        faults=False,
        moves_clock=False,
        without_limits=False,
    ),
    "production": Rules(
        environment="live",
        development_secrets=False,
        plain="nowhere",
        http=False,
        other_stripe=False,
        faults=False,
        moves_clock=False,
        without_limits=False,
    ),
}

#: Settings that name an engine, by its name in `contracts.addresses`; PostgreSQL has several.
_ENGINES: Final = {
    "AMPLY_KAFKA": "kafka",
    "AMPLY_SPICEDB": "spicedb",
    "AMPLY_SMTP": "smtp",
}
_SECRET_FILES: Final = ("AMPLY_MASTER_KEY", "AMPLY_LOG_PASSPHRASE")
_STRIPE_KEYS: Final = ("AMPLY_STRIPE_KEY", "AMPLY_STRIPE_PUBLISHABLE_KEY")
_WEBHOOK_SECRETS: Final = ("AMPLY_STRIPE_ACCOUNT_SECRETS", "AMPLY_STRIPE_CONNECT_SECRETS")
_FAULTS: Final = ("AMPLY_FAILPOINT", "AMPLY_FAULT", "AMPLY_SANDBOX")
_ADDRESSES: Final = ("AMPLY_URL", "AMPLY_RETURN_URL", "AMPLY_STRIPE")


def mode_of(variables: Mapping[str, str]) -> Mode:
    """The place by `AMPLY_MODE`, else by `AMPLY_ENVIRONMENT`: `test` is development, `live` is
    production. ValueError when neither is set, one is unknown, or they contradict one another.
    """
    named = variables.get("AMPLY_MODE", "").strip()
    environment = variables.get("AMPLY_ENVIRONMENT", "").strip()
    if environment not in ("", *get_args(Environment)):
        raise ValueError("AMPLY_ENVIRONMENT must be `test` or `live`.")
    if not named:
        if not environment:
            raise ValueError(f"AMPLY_MODE is not set: set it to {', '.join(RULES)}.")
        return "production" if environment == "live" else "development"
    for mode, rules in RULES.items():
        if mode == named:
            if environment not in ("", rules.environment):
                raise ValueError(
                    f"AMPLY_ENVIRONMENT is `{environment}`, but {mode} is `{rules.environment}`:"
                    " set only AMPLY_MODE."
                )
            return mode
    raise ValueError(f"AMPLY_MODE must be one of {', '.join(RULES)}.")


def environment_of(variables: Mapping[str, str]) -> Environment:
    """`test` or `live`; ValueError as `mode_of`."""
    return RULES[mode_of(variables)].environment


def refusals(variables: Mapping[str, str], read: Read) -> list[str]:
    """Why these settings must not be used where they are: one sentence each, none shows a secret.

    Only what is set is judged. `read` gives a file's text (OSError or ValueError: it is told so
    elsewhere). ValueError as `mode_of`.
    """
    mode = mode_of(variables)
    given = {name: value.strip() for name, value in variables.items() if value.strip()}
    return [
        f"{name} {reason}" for check in _CHECKS for name, reason in check(given, RULES[mode], read)
    ]


def require_allowed(variables: Mapping[str, str], read: Read) -> None:
    """ValueError that lists every refusal, one a line, or as `mode_of`."""
    if found := refusals(variables, read):
        raise ValueError(
            f"{mode_of(variables)} refuses these settings:\n"
            + "\n".join(f"  {sentence}" for sentence in found)
        )


Refusal = tuple[str, str]
Check = Callable[[Mapping[str, str], Rules, Read], Iterator[Refusal]]


def _secrets(given: Mapping[str, str], rules: Rules, read: Read) -> Iterator[Refusal]:
    if rules.development_secrets:
        return
    for name in _SECRET_FILES:
        if name in given and _text(read, given[name]).startswith(DEVELOPMENT_KEY_MARK):
            yield name, "holds a secret that was drawn for development: draw another."
    for name in ("AMPLY_SPICEDB_TOKEN", *_engines_of(given)):
        if unquote(_password(given.get(name, ""))).startswith(DEVELOPMENT_MARK):
            yield name, "has a password that was drawn for development: set another."
    for name in _WEBHOOK_SECRETS:
        if "whsec_sandbox" in given.get(name, ""):
            yield name, "holds a secret of the Stripe sandbox: set those of Stripe's endpoints."


def _names(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    if rules.development_secrets:
        return
    hosts = {
        "AMPLY_LOG_ORIGIN": given.get("AMPLY_LOG_ORIGIN", "").partition("/")[0],
        "AMPLY_MAIL_FROM": given.get("AMPLY_MAIL_FROM", "").rpartition("@")[2].rstrip("> "),
    }
    for name, host in hosts.items():
        if host.rpartition(".")[2].lower() in _NAMES_OF_NOWHERE:
            yield name, "names a host that is nobody's: name one of yours."


def _engines(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    for name, engine in _engines_of(given).items():
        try:
            reach = reach_of(given[name], engine)
        except ValueError as error:
            yield name, f"{error}."
            continue
        if reach == "encrypted" or rules.plain == "anywhere":
            continue
        if reach == "plain" or rules.plain == "nowhere":
            how = (
                "sslmode=verify-full in its query" if engine == "postgres" else "its form with TLS"
            )
            yield name, f"reaches the engine in clear, or without knowing who answers: use {how}."


def _addresses(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    for name in _ADDRESSES:
        if name not in given:
            continue
        parts = urlsplit(given[name])
        is_sandbox = name == "AMPLY_STRIPE" and rules.other_stripe
        local = parts.hostname is not None and is_loopback(parts.hostname)
        if name == "AMPLY_STRIPE" and not rules.other_stripe and given[name].rstrip("/") != STRIPE:
            yield name, "names something else than Stripe: leave it out."
        elif parts.scheme != "https" and not rules.http and not (is_sandbox and local):
            yield name, "is no https address."


def _listener(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    """Only the edge has a port of its own; what listens on loopback alone serves this machine."""
    proxies = given.get("AMPLY_TRUSTED_PROXIES", "")
    if not rules.http and any(map(_is_everything, proxies.split(","))):
        yield "AMPLY_TRUSTED_PROXIES", "trusts every address: name your proxies only."
    if rules.plain == "anywhere" or "AMPLY_PORT" not in given or "AMPLY_TLS_CERTIFICATE" in given:
        return
    local = is_loopback(given.get("AMPLY_HOST", "127.0.0.1"))
    is_fronted = proxies not in ("", "direct")
    if not is_fronted and not (local and rules.plain == "on_loopback"):
        yield (
            "AMPLY_TLS_CERTIFICATE",
            "is not set, so that the edge would listen in clear: set it and AMPLY_TLS_KEY, or"
            " AMPLY_TRUSTED_PROXIES to the proxies in front that speak TLS.",
        )


def _stripe_keys(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    other = "test" if rules.environment == "live" else "live"
    for name in _STRIPE_KEYS:
        if f"_{other}_" in given.get(name, ""):
            yield name, f"is a key of Stripe's {other} mode: set a {rules.environment} one."


def _faults(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    for name in sorted(given):
        if not rules.faults and name.startswith(_FAULTS):
            yield name, "makes things go wrong on purpose: leave it out."


def _limits(given: Mapping[str, str], rules: Rules, _: Read) -> Iterator[Refusal]:
    if rules.without_limits:
        return
    for name in sorted(given):
        if name.startswith("AMPLY_LIMIT_") and given[name].strip("0") == "":
            yield name, "switches a limit off: set a number, or leave it out."
    if "off" in given.get("AMPLY_RATE_LIMITS", "").replace(",", " ").split():
        yield "AMPLY_RATE_LIMITS", "switches the limits off: name single rates, or leave it out."
    exempt = given.get("AMPLY_LIMIT_EXEMPT_ADDRESSES", "").split(",")
    if any(map(_is_everything, exempt)):
        yield "AMPLY_LIMIT_EXEMPT_ADDRESSES", "exempts every address: name single networks."


_CHECKS: Final[tuple[Check, ...]] = (
    _secrets,
    _names,
    _engines,
    _addresses,
    _listener,
    _stripe_keys,
    _faults,
    _limits,
)


def _engines_of(given: Mapping[str, str]) -> dict[str, str]:
    """The settings that name engines; a role's own DSN is `AMPLY_POSTGRES_<ROLE>`."""
    databases = (name for name in sorted(given) if name.startswith("AMPLY_POSTGRES"))
    return {
        **dict.fromkeys(databases, "postgres"),
        **{name: engine for name, engine in _ENGINES.items() if name in given},
    }


def _text(read: Read, path: str) -> str:
    try:
        return read(path)
    except (OSError, ValueError):
        return ""


def _password(value: str) -> str:
    """The password within an address; the whole of what is none."""
    credentials, has_user, _ = value.partition("://")[2].rpartition("@")
    return credentials.partition(":")[2] if has_user else value


def _is_everything(network: str) -> bool:
    try:
        # Two halves are everything too; nobody's proxies or servers fill a quarter of the world.
        return bool(network.strip()) and ip_network(network.strip()).prefixlen < 2
    except ValueError:
        return False
