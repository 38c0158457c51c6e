"""What proxies say of a request: believed from trusted hops only, in one kind of field."""

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from edge.forwarding import Kind, addresses_of, is_https, schemes_of
from edge.limits.addresses import client_of, read_networks

PROXIES = read_networks("10.0.0.0/8, ::1")
Rows = list[tuple[str, str]]


def fields(*pairs: tuple[str, str]) -> Any:
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    ("kind", "pairs", "client"),
    [
        ("x-forwarded", [("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
        ("x-forwarded", [("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.1.1.1")], "192.0.2.7"),
        ("forwarded", [("Forwarded", "for=192.0.2.7;proto=https;by=10.1.1.1")], "192.0.2.7"),
        ("forwarded", [("Forwarded", 'For="[2001:db8:1:2::3]:4711"')], "2001:db8:1:2::/64"),
        ("forwarded", [("Forwarded", "for=6.6.6.6"), ("Forwarded", "for=192.0.2.7")], "192.0.2.7"),
        ("forwarded", [("Forwarded", "for=6.6.6.6, for=192.0.2.7, for=10.1.1.1")], "192.0.2.7"),
        # What a client sends in the other kind of field is not heard.
        ("x-forwarded", [("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "1.2.3.4")], "1.2.3.4"),
        ("forwarded", [("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=1.2.3.4")], "1.2.3.4"),
        ("forwarded", [("X-Forwarded-For", "6.6.6.6")], "10.2.2.2"),
        # Nobody knows.
        ("forwarded", [("Forwarded", "for=_hidden")], None),
        ("forwarded", [("Forwarded", "proto=https")], None),
        ("forwarded", [("Forwarded", 'for="6.6.6.6, for=1.2.3.4')], None),
        ("forwarded", [("Forwarded", "for=6.6.6.6;for=1.2.3.4")], None),
    ],
)
def test_the_client_is_whom_the_last_trusted_hop_was_asked_by(
    kind: Kind, pairs: Rows, client: str | None
) -> None:
    assert client_of("10.2.2.2", addresses_of(fields(*pairs), kind), PROXIES) == client


def test_a_quoted_separator_separates_nothing() -> None:
    headers = fields(("Forwarded", r'for="a,b;c\"d";proto=http, for=1.2.3.4;proto=HTTPS'))
    assert addresses_of(headers, "forwarded") == ['a,b;c"d', "1.2.3.4"]
    assert schemes_of(headers, "forwarded") == ["http", "https"]


@pytest.mark.parametrize(
    ("peer", "encrypted", "pairs", "believed"),
    [
        ("192.0.2.1", True, [], True),
        ("192.0.2.1", False, [], False),
        ("192.0.2.1", False, [("X-Forwarded-Proto", "https")], False),
        ("10.2.2.2", False, [("X-Forwarded-Proto", "https")], True),
        ("::1", False, [("X-Forwarded-Proto", "HTTPS")], True),
        ("::ffff:10.2.2.2", False, [("X-Forwarded-Proto", "https")], True),
        ("10.2.2.2", False, [], False),
        ("10.2.2.2", True, [], False),
        ("10.2.2.2", True, [("X-Forwarded-Proto", "http")], False),
        ("10.2.2.2", False, [("X-Forwarded-Proto", "https, http")], False),
        ("10.2.2.2", False, [("X-Forwarded-Proto", "http, https")], False),
        (None, False, [("X-Forwarded-Proto", "https")], False),
    ],
)
def test_https_is_what_every_hop_vouches_for(
    peer: str | None, encrypted: bool, pairs: Rows, believed: bool
) -> None:
    assert is_https(peer, encrypted, fields(*pairs), PROXIES, "x-forwarded") is believed
    as_forwarded = [
        ("Forwarded", f"proto={value.strip()}") for _, given in pairs for value in given.split(",")
    ]
    assert is_https(peer, encrypted, fields(*as_forwarded), PROXIES, "forwarded") is believed
