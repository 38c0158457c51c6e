"""Every case of the golden exports, accepted or refused at the step it states."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from amply_verify import canonical, tree
from amply_verify.entry import parse_entry
from amply_verify.errors import RefusedError
from amply_verify.export import Head, Memory, verify_export
from amply_verify.note import Checkpoint, Signer, VerifierKey
from amply_verify.policy import parse_policy
from amply_verify.trust import Trust


def _step(case: dict[str, Any], key: VerifierKey) -> object:
    policy = parse_policy(case["policy"]) if "policy" in case else None
    head = Head(**case["old_head"]) if "old_head" in case else None
    data = case["export"].encode("utf-8", "surrogatepass")
    try:
        verify_export(
            io.BytesIO(data),
            Trust(key, policy),
            case.get("expect_org"),
            Memory(case.get("old_checkpoint"), head),
        )
    except RefusedError as error:
        return error.step
    return None


@pytest.mark.parametrize(
    "name, count", [("export-cases.json.gz", 313), ("export-cases-2.json.gz", 55)]
)
def test_every_case_is_accepted_or_refused_at_its_step(
    load: Callable[[str], Any], log_key: VerifierKey, name: str, count: int
) -> None:
    cases = load(name)["cases"]
    assert len(cases) == count
    found = {case["name"]: _step(case, log_key) for case in cases}
    assert found == {case["name"]: case.get("step") for case in cases}
    assert sum("accept" in case for case in cases) > 10


def test_the_golden_exports_are_accepted(vectors: Any, trust: Trust, golden: Any) -> None:
    old = Memory(_note(golden, 120))
    with (vectors / "export.jsonl").open("rb") as stream:
        public = verify_export(stream, trust, golden["orgs"][0], old)
    with (vectors / "export-members.jsonl").open("rb") as stream:
        members = verify_export(stream, trust, golden["orgs"][0], old)
    assert public.entries == members.entries == 107
    assert public.head == members.head
    assert public.figures.partial and not members.figures.partial
    assert dict(public.figures.sealed_money) == {"internal_only": 2, "public_aggregated": 1}
    assert (public.figures.donors_erased, public.figures.donors_not_given) == (1, 1)
    assert (members.figures.donors_erased, members.figures.donors_not_given) == (1, 0)


def test_the_golden_exports_are_made_again_to_the_byte(
    vectors: Any, golden: Any, golden_leaves: list[bytes], log_signer: Signer, load: Any
) -> None:
    org = golden["orgs"][0]
    entries = [parse_entry(text) for text in golden["entries"]]
    for name in ("export.jsonl", "export-members.jsonl"):
        data = (vectors / name).read_bytes()
        given = [canonical.parse(line) for line in data.splitlines()[1:]]
        rows = [
            {"entry": golden["entries"][i], "index": i, "openings": {}}
            for i, entry in enumerate(entries)
            if entry.org == org
        ]
        for row, line in zip(rows, given, strict=True):
            kept = golden["openings"][row["index"]]
            row["openings"] = {section: kept[section] for section in line["openings"]}
        first = _first_line(golden, golden_leaves, load, org)
        assert b"".join(canonical.encode(line) + b"\n" for line in (first, *rows)) == data


def _first_line(golden: Any, leaves: list[bytes], load: Any, org: str) -> dict[str, Any]:
    read = tree.node_reader(leaves)
    entries = [parse_entry(text) for text in golden["entries"]]
    indexes = [index for index, entry in enumerate(entries) if entry.org == org]
    census = max(index for index, entry in enumerate(entries) if entry.kind == "census")
    before = {entry.org: (entry.seq, leaves[i]) for i, entry in enumerate(entries[:census])}
    members = [
        tree.leaf_hash(canonical.encode({"head": leaf.hex(), "org": name, "seq": seq}))
        for name, (seq, leaf) in sorted(before.items())
    ]
    assert tree.root_of(members).hex() == entries[census].shown["details"]["root"]
    position = sorted(before).index(org)
    member = tree.prove_inclusion(position, len(members), tree.node_reader(members))
    return {
        "census": {
            "entry": golden["entries"][census],
            "index": census,
            "member": {"index": position, "proof": _texts(member)},
            "proof": _texts(tree.prove_inclusion(census, 300, read)),
        },
        "checkpoint": load("checkpoints.json")["cosigned"]["note"],
        "consistency": {"proof": _texts(tree.prove_consistency(120, 300, read)), "size": 120},
        "entries": len(indexes),
        "format": "amply/ledger-export/v1",
        "head": {
            "index": indexes[-1],
            "proof": _texts(tree.prove_inclusion(indexes[-1], 300, read)),
        },
        "org": org,
        "origin": golden["origin"],
    }


def _texts(proof: list[bytes]) -> list[str]:
    return [canonical.to_base64(item) for item in proof]


def _note(golden: Any, size: int) -> str:
    signer = Signer(golden["origin"], bytes.fromhex(golden["log_key_seed_hex"]))
    leaves = [bytes.fromhex(leaf) for leaf in golden["leaf_hashes"][:size]]
    return signer.sign(Checkpoint(golden["origin"], size, tree.root_of(leaves)))
