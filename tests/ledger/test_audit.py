"""Audit records: chained as entries are, found out when one is changed, removed or inserted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from amply_verify import canonical
from ledger.audit import (
    EMPTY,
    AuditError,
    Chain,
    Deed,
    Head,
    chain,
    head_of,
    network_of,
    open_client,
    seal_client,
)
from ledger.audit_export import first_line, line_of, verify
from ledger.keys import DecryptionError
from tests.ledger.making import NOON, name

KEY = bytes(range(32))
ORG, OTHER = name("org", "audited"), name("org", "other")


def deed(number: int, **changes: Any) -> Deed:
    plain = Deed(
        organization=ORG,
        occurred_at=NOON + timedelta(seconds=number),
        actor_kind="api_key",
        actor=name("key", 1),
        credential=None,
        action="createRefund",
        resource=name("ref", number),
        request=f"req_{number:032}",
        outcome="done",
        code=None,
        times=1,
        before=None,
        after="ab" * 32,
        client=seal_client("203.0.113.0/24", KEY),
    )
    return plain._replace(**changes)


def copied(count: int = 6) -> list[bytes]:
    """The lines of an honest copy."""
    records, moved = chain([deed(number) for number in range(count)], {}, NOON)
    lines = [first_line(ORG, EMPTY, moved[ORG])]
    for record in records:
        assert record.deed.client is not None
        lines.append(line_of({"bytes": record.data, "client": record.deed.client.ciphertext}, KEY))
    return lines


def test_an_honest_copy_verifies_and_says_where_it_ends() -> None:
    lines = copied()
    told = verify(lines)
    assert (told.organization, told.records, told.opened) == (ORG, 6, 6)
    assert told.head == head_of(f"{told.head.seq}:{(told.head.hash or b'').hex()}")
    assert verify(lines, told.head) == told


def other_text(lines: list[bytes]) -> list[bytes]:
    fields = canonical.parse(lines[3].rstrip())
    fields["record"] = fields["record"].replace("createRefund", "createPayout")
    return [*lines[:3], canonical.encode(fields) + b"\n", *lines[4:]]


def other_end(lines: list[bytes]) -> list[bytes]:
    fields = canonical.parse(lines[-1].rstrip())
    fields["record"] = fields["record"].replace("createRefund", "createPayout")
    return [*lines[:-1], canonical.encode(fields) + b"\n"]


def other_opening(lines: list[bytes]) -> list[bytes]:
    fields = canonical.parse(lines[3].rstrip())
    fields["client"]["value"]["network"] = "198.51.100.0/24"
    return [*lines[:3], canonical.encode(fields) + b"\n", *lines[4:]]


@pytest.mark.parametrize(
    ("tamper", "seq"),
    [
        (other_text, 3),  # The one after it does not continue it.
        (other_opening, 2),
        (other_end, 5),
        (lambda lines: [*lines[:3], *lines[4:]], 2),
        (lambda lines: lines[:-1], 5),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 2),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 2),
        (lambda lines: [*lines, lines[-1]], 6),
        (lambda lines: lines[1:], -1),
        (lambda lines: [*lines[:2], b"{}\n", *lines[3:]], 1),
    ],
    ids=[
        "changed",
        "opening",
        "end",
        "removed",
        "cut",
        "inserted",
        "swapped",
        "added",
        "headless",
        "form",
    ],
)
def test_tampering_is_found_at_its_place(
    tamper: Callable[[list[bytes]], list[bytes]], seq: int
) -> None:
    with pytest.raises(AuditError) as error:
        verify(tamper(copied()))
    assert error.value.seq == seq


def test_a_history_made_anew_is_found_by_who_kept_a_head() -> None:
    known = verify(copied()).head
    remade = copied()
    verify(remade)  # By itself it holds: the salts differ, and so does every hash.
    with pytest.raises(AuditError, match="was there before"):
        verify(remade, known)
    with pytest.raises(AuditError, match="is missing"):
        verify(copied(3), known)


def test_a_place_is_not_skipped_even_by_a_record_that_continues() -> None:
    records, moved = chain([deed(0)], {}, NOON)
    skipped, _ = chain([deed(1)], {ORG: Head(1, moved[ORG].hash)}, NOON)
    walk = Chain(ORG)
    walk.take(records[0].data)
    with pytest.raises(AuditError, match="the next one is 2"):
        walk.take(skipped[0].data)


def test_chains_of_organizations_do_not_meet() -> None:
    deeds = [deed(0), deed(1, organization=OTHER), deed(2), deed(3, organization=OTHER)]
    records, moved = chain(deeds, {OTHER: Head(7, b"\7" * 32)}, NOON)
    assert [(record.deed.organization, record.seq) for record in records] == [
        *((ORG, 0), (OTHER, 8), (ORG, 1), (OTHER, 9)),
    ]
    assert {name: head.seq for name, head in moved.items()} == {ORG: 1, OTHER: 9}
    with pytest.raises(AuditError, match="another organization"):
        Chain(OTHER).take(records[0].data)


def test_a_client_is_sealed_under_a_fresh_salt_and_opens_with_its_own_seal_only() -> None:
    one, two = (seal_client("2001:db8:1::/48", KEY) for _ in range(2))
    assert one.seal != two.seal
    assert open_client(one, KEY)["value"] == {"network": "2001:db8:1::/48"}
    with pytest.raises(DecryptionError):
        open_client(two._replace(ciphertext=one.ciphertext), KEY)
    [record], _ = chain([deed(0)], {}, NOON)
    assert b"203.0.113" not in record.data


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unix", None),
        ("", None),
    ],
)
def test_of_an_address_its_network_is_kept(address: str, network: str | None) -> None:
    assert network_of(address) == network
