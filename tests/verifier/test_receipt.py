from typing import Any

import pytest

from amply_verify import canonical, tree
from amply_verify.entry import seal
from amply_verify.errors import RefusedError
from amply_verify.note import Signer
from amply_verify.policy import parse_policy
from amply_verify.receipt import (
    RECEIPT_BYTES_MAX,
    Receipt,
    format_receipt,
    parse_receipt,
    verify_receipt,
)
from amply_verify.trust import Trust


@pytest.fixture
def data(vectors: Any) -> bytes:
    read: bytes = (vectors / "receipt.tlog-proof").read_bytes()
    return read


def step_of(data: bytes, trust: Trust) -> object:
    with pytest.raises(RefusedError) as caught:
        verify_receipt(data, trust)
    return caught.value.step


def test_the_golden_receipt_is_verified_and_made_again(
    data: bytes, golden: Any, golden_leaves: list[bytes], load: Any, trust: Trust
) -> None:
    report = verify_receipt(data, trust)
    assert report.index == 7
    assert report.opened["donor"]["name"] == "Grace"
    assert report.postings is not None
    assert [amount for _, amount in report.postings.amounts_minor] == [2500, -2500]
    made = Receipt(
        entry=golden["entries"][7],
        openings={"donor": golden["openings"][7]["donor"]},
        position=7,
        proof=tree.prove_inclusion(7, 300, tree.node_reader(golden_leaves)),
        checkpoint=load("checkpoints.json")["cosigned"]["note"],
    )
    assert format_receipt(made) == data
    assert parse_receipt(data) == made


def test_every_entry_of_the_golden_log_has_a_receipt(
    golden: Any, golden_leaves: list[bytes], load: Any, trust: Trust
) -> None:
    note = load("checkpoints.json")["checkpoints"][-1]["note"]
    read = tree.node_reader(golden_leaves)
    for index, entry in enumerate(golden["entries"]):
        proof = tree.prove_inclusion(index, 300, read)
        receipt = Receipt(entry, golden["openings"][index], index, proof, note)
        report = verify_receipt(format_receipt(receipt), trust)
        assert report.entry.id in entry


def test_a_quorum_is_asked_for(
    data: bytes, trust: Trust, golden: Any, witness_signer: Signer
) -> None:
    met = parse_policy(f"witness w {golden['witness_vkey']}\nquorum w\n")
    report = verify_receipt(data, Trust(trust.key, met))
    assert [who.name for who in report.signed.cosignatures] == [witness_signer.key.name]
    lone = data[: data.rindex("— witness".encode())]
    verify_receipt(lone, trust)
    assert step_of(lone, Trust(trust.key, met)) == 1
    other = parse_policy(f"log {Signer('other.example', bytes(32)).key}\nquorum none\n")
    assert step_of(data, Trust(trust.key, other)) == 1


@pytest.mark.parametrize(
    "old, new, step",
    [
        (b"\n300\n", b"\n301\n", 1),
        (b"ledger.example.org/log/0\n3", b"ledger.example.org/log/1\n3", 1),
        (b"@v1", b"@v2", 2),
        (b"index 7", b"index 07", 2),
        (b"index 7", b"index -7", 2),
        (b"index 7", b"Index 7", 2),
        (b"extra ey", b"extra  ey", 2),
        (b"extra ey", b"eyextra", 2),
        (b"joZV5XV7wnHGBwhqiVFzSovKt8iifZe3C96LOt7JUQI=", b"joZV5XV7wnHGBwhqiVFzSovKt8iifZe3", 2),
        (b"index 7", b"index 8", 8),
        (b"index 7", b"index 300", 8),
        (b"joZV5XV7", b"kkkkkkkk", 8),
        (b"joZV5XV7wnHGBwhqiVFzSovKt8iifZe3C96LOt7JUQI=\n", b"", 8),
        (b"\r", b"", None),
        (b"\n", b"\r\n", 2),
    ],
)
def test_a_changed_receipt_is_refused_at_its_step(
    data: bytes, trust: Trust, old: bytes, new: bytes, step: int | None
) -> None:
    changed = data.replace(old, new)
    if step is None:
        assert changed == data
    else:
        assert step_of(changed, trust) == step


@pytest.mark.parametrize(
    "change, step",
    [
        (lambda extra: extra | {"more": 1}, 2),
        (lambda extra: extra | {"entry": 1}, 2),
        (lambda extra: extra | {"openings": []}, 2),
        (lambda extra: extra | {"entry": extra["entry"] + " "}, 3),
        (lambda extra: extra | {"entry": extra["entry"].replace('"v":1', '"v":2')}, 3),
        (lambda extra: extra | {"openings": {"money": extra["openings"]["donor"]}}, 5),
        (lambda extra: extra | {"entry": extra["entry"].replace("-2500", "-2501")}, 6),
        (lambda extra: extra | {"entry": extra["entry"].replace("2500", "2501")}, 8),
        (lambda extra: extra | {"openings": {}}, None),
    ],
)
def test_changed_contents_are_refused_at_their_step(
    data: bytes, trust: Trust, change: Any, step: int | None
) -> None:
    line = data.split(b"\n")[1]
    extra = canonical.parse(canonical.from_base64(line.decode().removeprefix("extra ")))
    text = canonical.to_base64(canonical.encode(change(extra)))
    changed = data.replace(line, b"extra " + text.encode())
    if step is None:
        assert verify_receipt(changed, trust).opened == {}
    else:
        assert step_of(changed, trust) == step


def test_a_receipt_has_a_largest_size(data: bytes, trust: Trust) -> None:
    assert step_of(data + b"\n" * (RECEIPT_BYTES_MAX + 1 - len(data)), trust) == 2
    assert step_of(b"", trust) == 2
    assert step_of(b"\xff" + data, trust) == 2


def test_a_salt_serves_one_section(made_log: Any, make_id: Any, trust: Trust) -> None:
    salt, opened = bytes(32), {"details": {"a": 1}, "donor": {"a": 1}}
    org = make_id("org", 5)
    made_log.genesis(org)
    made_log.add(
        org,
        "donation",
        visibility="internal_only",
        money={"sealed": "0" * 64},
        **{
            name: {"sealed": seal(name, salt, canonical.encode(value))}
            for name, value in opened.items()
        },
    )
    openings = {
        name: {"salt": canonical.to_base64(salt), "value": value} for name, value in opened.items()
    }
    proof = tree.prove_inclusion(1, 2, tree.node_reader(made_log.leaves))
    receipt = Receipt(made_log.entries[1].decode(), openings, 1, proof, made_log.note())
    assert step_of(format_receipt(receipt), trust) == 5
    del openings["details"]
    assert verify_receipt(format_receipt(receipt), trust).opened == {"donor": {"a": 1}}
