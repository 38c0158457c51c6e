"""Whose address a request came from, as far as anybody can be believed. Pure.

Source: the de facto standard `X-Forwarded-For`; each proxy appends the address it was asked from.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_of(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str | None:
    """The client's address by the connection and its `X-Forwarded-For` fields; None: unknown.

    Read from the end: what a trusted proxy says is believed, up to the first that is none.
    IPv6 is the network of 64 bits, since one client has all of it.
    """
    address = _read(peer or "")
    said = [part.strip() for field in forwarded for part in field.split(",")]
    while address is not None and _is_in(address, trusted) and said:
        before = _read(said.pop())
        if before is None:  # Somebody before the proxy wrote it, or an odd proxy: nobody knows.
            return None
        address = before
    if address is None:
        return None
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def peer_of(peer: str | None, trusted: Sequence[Network]) -> str | None:
    """Whose the connection itself is; None: a proxy's, which carries many people's requests."""
    address = _read(peer or "")
    return None if address is None or _is_in(address, trusted) else client_of(peer, (), ())


def is_exempt(client: str, networks: Sequence[Network]) -> bool:
    """Whether a client's address lies in one of the networks."""
    return _is_in(ip_network(client).network_address, networks)


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks or single addresses with commas between; ValueError when one is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


@lru_cache(maxsize=1_024)  # Asked several times a request.
def _read(text: str) -> Address | None:
    if text.startswith("["):  # `[2001:db8::1]:443`
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # `192.0.2.1:443`
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
