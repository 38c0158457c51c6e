"""Calls to addresses that somebody else chose: to the open internet only, whatever the name says.

Rules, after SSRF guards that failed elsewhere (a mapped IPv6 address, a resolver's error taken for
safe, a second answer of the resolver): (1) an address is judged by what it is *in the end*, through
every form that carries an IPv4 address; (2) all that a name resolves to must be outside; (3) the
connection goes to the very address that was judged; (4) no redirect is followed; (5) what cannot be
judged is refused; (6) the refusal does not tell what is inside. Sources: RFC 6890 and its
registries, RFC 4291, RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

import asyncio
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

RESOLVE_S_MAX: Final = 5.0
URL_LENGTH_MAX: Final = 2048
NAME_LENGTH_MAX: Final = 253
_LOCAL_NAMES: Final = ("localhost", "local", "internal", "intranet", "home", "lan", "test")

#: What `ipaddress` calls global but is not for us: it carries another address, or is multicast,
#: or leads to networks of one provider (shared addresses, metadata of clouds).
_INSIDE: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24"),
        *("198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20"),
        *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address
#: A name to all its addresses; OSError when there are none or nobody knows.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotOutsideError(ValueError):
    """The address cannot be called from here. It says nothing about what is there."""

    def __init__(self) -> None:
        super().__init__("the address is not one of the open internet")


@dataclass(frozen=True, slots=True)
class Target:
    """A name and the judged addresses to connect to."""

    host: str
    port: int
    addresses: tuple[str, ...]


def is_outside(address: Address) -> bool:
    """Whether an address is of the open internet, and so is each that it carries."""
    carried = carried_by(address)
    if carried is not None:
        return is_outside(carried)
    return address.is_global and not any(
        address in network for network in _INSIDE if network.version == address.version
    )


def carried_by(address: Address) -> IPv4Address | None:
    """The IPv4 address at which a packet to this IPv6 address arrives."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def host_of(url: str, *, allows_http: bool = False) -> tuple[str, int]:
    """Host and port of an address that may be called; NotOutsideError when it must not be.

    Only https (or http where that is allowed), on any port, without user, fragment or spaces. Names
    of one label, and numbers that a resolver would take for an address, are refused.
    """
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(c <= " " or c == "\\" for c in url):
        raise NotOutsideError
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise NotOutsideError from None
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allows_http):
        raise NotOutsideError
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise NotOutsideError
    if not _is_name(host) and _literal(host) is None:
        raise NotOutsideError
    return host, port or (443 if parts.scheme == "https" else 80)


async def judge(host: str, port: int, resolve: Resolve | None = None) -> Target:
    """Where to connect for a host; NotOutsideError unless everything it resolves to is outside."""
    literal = _literal(host)
    if literal is not None:
        found: Sequence[str] = (str(literal),)
    elif not _is_name(host):
        raise NotOutsideError
    else:
        try:
            async with asyncio.timeout(RESOLVE_S_MAX):
                found = await (resolve or _resolve)(host, port)
        except (OSError, TimeoutError, UnicodeError):
            raise NotOutsideError from None
    try:
        judged = [ip_address(address) for address in found]
    except ValueError:
        raise NotOutsideError from None
    if not judged or not all(is_outside(address) for address in judged):
        raise NotOutsideError
    return Target(host, port, tuple(str(address) for address in judged))


async def judge_url(
    url: str, *, allows_http: bool = False, resolve: Resolve | None = None
) -> Target:
    """`host_of` and `judge`: what to ask when an address is registered."""
    return await judge(*host_of(url, allows_http=allows_http), resolve)


class OutsideResolver(AbstractResolver):
    """What aiohttp connects to is what was judged, at each connection anew.

    `chosen` hosts are the operator's own, by a setting: nobody else named them.
    """

    def __init__(
        self, resolve: Resolve | None = None, *, chosen: frozenset[str] = frozenset()
    ) -> None:
        self._resolve = resolve or _resolve
        self._chosen = chosen

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The judged addresses; NotOutsideError, an OSError here as aiohttp expects."""
        try:
            if host in self._chosen:
                target = Target(host, port, tuple(await self._resolve(host, port)))
            else:
                target = await judge(host, port, self._resolve)
        except NotOutsideError as error:
            raise OSError(str(error)) from None
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in target.addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


class _Connector(aiohttp.TCPConnector):
    """aiohttp asks no resolver about an address that is written as one: it is judged here."""

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        return await self._resolver.resolve(host, port)


def outside_connector(
    resolve: Resolve | None = None, *, chosen: frozenset[str] = frozenset()
) -> aiohttp.TCPConnector:
    """A connector whose every connection goes to a judged address; for a session of its own.

    Use it without proxies of the environment, and with `allow_redirects=False`.
    """
    return _Connector(resolver=OutsideResolver(resolve, chosen=chosen), use_dns_cache=False)


def _is_name(host: str) -> bool:
    """Whether a host is a name with a dot that no resolver reads as a number."""
    name = host.removesuffix(".").lower()
    labels = name.split(".")
    return (
        len(name) <= NAME_LENGTH_MAX
        and len(labels) > 1
        and all(_is_label(label) for label in labels)
        # `0x7f.1` and `2130706433` are addresses to `getaddrinfo`; no top-level domain has digits.
        and (labels[-1].isalpha() or labels[-1].startswith("xn--"))
        and labels[-1] not in _LOCAL_NAMES
    )


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and label.isascii()
        and label.replace("-", "").replace("_", "").isalnum()
        and not label.startswith("-")
        and not label.endswith("-")
    )


def _literal(host: str) -> Address | None:
    # Full-width digits and dots become plain ones in some resolvers: only plain ones are read.
    if unicodedata.normalize("NFKC", host) != host or "%" in host:
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]
