"""Where an engine answers and how it is reached: one text says all, as PostgreSQL's DSN does.

    host:port                                         in clear
    SSL://host:port?ca=FILE&certificate=FILE&key=FILE
    SASL_SSL://user:password@host:port,host:port?ca=FILE
    tls://host:port?ca=FILE
    starttls://user:password@host:port                without `ca`: the system's authorities

User, password and files are percent-encoded (RFC 3986) where they hold `@ : / ? & %`. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

PORT_MAX: Final = 65_535
_FILES: Final = frozenset({"ca", "certificate", "key"})

#: Engine -> the forms that its address may have -> the options of that form.
FORMS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "kafka": {"": frozenset(), "SSL": _FILES, "SASL_SSL": _FILES | {"mechanism"}},
    "spicedb": {"": frozenset(), "tls": frozenset({"ca"})},
    "smtp": {"": frozenset(), "starttls": frozenset({"ca"}), "smtps": frozenset({"ca"})},
}

Reach = Literal["encrypted", "plain_on_loopback", "plain"]


@dataclass(frozen=True, slots=True)
class Address:
    """`scheme` is "" for an address in clear; `options` are those of `FORMS`."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def servers(self) -> str:
        """`host:port` of all, with commas between."""
        return ",".join(f"{_bracketed(host)}:{port}" for host, port in self.hosts)

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine."""
        return all(is_loopback(host) for host, _ in self.hosts)


def parse(text: str, engine: str) -> Address:
    """The address of an engine of `FORMS`; ValueError completes "the setting ...", tells no secret.

    A user comes with a password, and neither goes over a connection in clear.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    forms = FORMS[engine]
    if scheme not in forms or (separator and not scheme):
        known = ", ".join(f"{name}://host:port" if name else "host:port" for name in forms)
        raise ValueError(f"is not of the form {known}")
    rest, _, query = rest.partition("?")
    credentials, has_user, servers = rest.rpartition("@")
    user, has_password, password = credentials.partition(":")
    if has_user and not (scheme and user and has_password and password):
        raise ValueError("names a user without password, or over a connection in clear")
    hosts = tuple(_host(server) for server in servers.split(","))
    if len(hosts) > 1 and engine != "kafka":
        raise ValueError("names more than one server")
    return Address(
        scheme,
        hosts,
        unquote(user) if has_user else None,
        unquote(password) if has_user else None,
        _options(query, forms[scheme]),
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by an address or by the name that is reserved for it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def reach_of(text: str, engine: str) -> Reach:
    """How `kafka`, `spicedb`, `smtp` or `postgres` is reached; ValueError as `parse`."""
    if engine == "postgres":
        return _reach_of_postgres(text)
    address = parse(text, engine)
    # SpiceDB's clients send a bearer token in clear to this machine only.
    if address.scheme or (engine == "spicedb" and not address.is_local):
        return "encrypted"
    return "plain_on_loopback" if address.is_local else "plain"


def _reach_of_postgres(dsn: str) -> Reach:
    parts = urlsplit(dsn)
    options = dict(parse_qsl(parts.query))
    # `require` encrypts to whoever answers; only this one knows who that is (libpq, 34.19).
    if options.get("sslmode") == "verify-full":
        return "encrypted"
    hosts = options.get("host") or parts.netloc.rpartition("@")[2]
    local = all(
        host.startswith("/") or is_loopback(_without_port(host)) for host in hosts.split(",")
    )
    return "plain_on_loopback" if local else "plain"


def _without_port(server: str) -> str:
    if server.startswith("["):
        return server[1:].partition("]")[0]
    return server.partition(":")[0]


def _host(server: str) -> tuple[str, int]:
    host, _, port = server.strip().rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port) <= PORT_MAX):
        raise ValueError("is not of the form host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _options(query: str, known: frozenset[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise ValueError("has a query that is none of the form name=value&name=value") from None
    options = dict(pairs)
    if len(options) != len(pairs) or not set(options) <= known:
        raise ValueError(f"has options other than {', '.join(sorted(known)) or 'none'}")
    if ("certificate" in options) != ("key" in options):
        raise ValueError("names a certificate without its key, or a key without certificate")
    return options
