"""A7: what receipts and exports say, against the log; the attacks that an export alone survives."""

from pathlib import Path
from typing import Any

import pytest

from amply_verify import canonical, tree
from amply_verify.audit import Kept, audit_log
from amply_verify.claims import Claim, claim_of_export, claim_of_receipt
from amply_verify.errors import RefusedError, UnreadableError
from amply_verify.export import verify_export
from amply_verify.note import Checkpoint
from amply_verify.receipt import Receipt, format_receipt
from amply_verify.trust import Trust
from tests.verifier.conftest import MadeLog, typeid

PLATFORM, ONE, OTHER = (typeid("org", number) for number in (1, 7, 5))


@pytest.fixture
def log(made_log: MadeLog) -> MadeLog:
    for org in (PLATFORM, ONE, OTHER):
        made_log.genesis(org)
    for number in range(40):
        made_log.donation((ONE, OTHER)[number % 2])
    return made_log


def export_of(path: Path, data: bytes) -> Claim:
    path.write_bytes(data)
    return claim_of_export(str(path))


def refusal(log: MadeLog, trust: Trust, claim: Claim) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        audit_log(log.files().get, trust, Kept(claims=[claim]))
    assert caught.value.step == "A7"
    return caught.value


def lines(data: bytes) -> list[dict[str, Any]]:
    return [canonical.parse(line) for line in data.splitlines()]


def joined(values: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical.encode(value) + b"\n" for value in values)


def test_older_and_newest_exports_are_the_logs(log: MadeLog, trust: Trust, tmp_path: Path) -> None:
    older = export_of(tmp_path / "older", log.export(ONE))
    log.donation(ONE)
    newest = export_of(tmp_path / "newest", log.export(ONE))
    report = audit_log(log.files().get, trust, Kept(claims=[older, newest]))
    assert report.claims == 21 + 22


def test_an_export_whose_newest_entries_were_cut_off(
    log: MadeLog, trust: Trust, tmp_path: Path
) -> None:
    first, *rows = lines(log.export(ONE))
    index = rows[-3]["index"]
    proof = tree.prove_inclusion(index, 43, tree.node_reader(log.leaves))
    head = {"index": index, "proof": [canonical.to_base64(item) for item in proof]}
    cut = joined([first | {"entries": len(rows) - 2, "head": head}, *rows[:-2]])
    path = tmp_path / "cut"
    claim = export_of(path, cut)
    with path.open("rb") as stream:
        assert verify_export(stream, trust).entries == 19, "alone it is right"
    assert "holds 19 entries" in refusal(log, trust, claim).message


def test_a_line_that_is_no_leaf(log: MadeLog, trust: Trust, tmp_path: Path) -> None:
    """A chain on the side meets the log in its last entry only, and its export verifies alone."""
    side = MadeLog(log.signer)
    side.entries, side.orgs, side.openings = log.entries[:], log.orgs[:], log.openings[:]
    rows = lines(log.export(ONE))[1:]
    hidden = canonical.parse(rows[5]["entry"]) | {"money": log.money(1)}
    prev = tree.leaf_hash(canonical.encode(hidden)).hex()
    text = {5: canonical.encode(hidden)}
    for seq in range(6, len(rows)):
        text[seq] = canonical.encode(canonical.parse(rows[seq]["entry"]) | {"prev": prev})
        prev = tree.leaf_hash(text[seq]).hex()
    last = rows[-1]["index"]
    log.entries[last] = text[len(rows) - 1]
    first, *_ = lines(log.export(ONE))
    changed = [
        row | {"entry": text[i].decode()} if i in text else row for i, row in enumerate(rows)
    ]
    path = tmp_path / "side"
    claim = export_of(path, joined([first, *changed]))
    with path.open("rb") as stream:
        assert verify_export(stream, trust).entries == 21, "alone it is right"
    with pytest.raises(RefusedError) as caught:
        audit_log(log.files().get, trust, Kept(claims=[claim]))
    assert caught.value.step == "A4", "the log's own chain is broken too"
    log.entries[last] = side.entries[last]
    assert refusal(log, trust, claim).index == rows[5]["index"]


@pytest.mark.parametrize("change", ["left out", "repeated", "swapped", "another's"])
def test_an_export_is_one_whole_chain(
    log: MadeLog, trust: Trust, tmp_path: Path, change: str
) -> None:
    first, *rows = lines(log.export(ONE))
    expected = 5
    if change == "left out":
        del rows[5]
    elif change == "repeated":
        rows.insert(5, rows[4])
    elif change == "swapped":
        rows[5], rows[6] = rows[6], rows[5]
    else:
        rows[5] = lines(log.export(OTHER))[1 + 5]
        with pytest.raises(UnreadableError, match="is not of org_"):
            export_of(tmp_path / "x", joined([first, *rows]))
        return
    error = refusal(log, trust, export_of(tmp_path / "x", joined([first, *rows])))
    assert error.seq == expected


def receipt_of(path: Path, log: MadeLog, index: int, note: str) -> Claim:
    proof = tree.prove_inclusion(index, len(log.entries), tree.node_reader(log.leaves))
    path.write_bytes(format_receipt(Receipt(log.entries[index].decode(), {}, index, proof, note)))
    return claim_of_receipt(str(path))


def test_a_receipts_checkpoint_is_an_older_checkpoint(
    log: MadeLog, trust: Trust, tmp_path: Path
) -> None:
    path = tmp_path / "gift.tlog-proof"
    receipt = receipt_of(path, log, 9, log.note())
    log.donation(ONE)
    assert audit_log(log.files().get, trust, Kept(claims=[receipt])).claims == 1
    fork = log.signer.sign(Checkpoint(log.origin, 43, bytes(32)))
    message = refusal(log, trust, receipt_of(path, log, 9, fork)).message
    assert message.endswith("the log's first 43 entries are not those of back then")
    later = log.signer.sign(Checkpoint(log.origin, 90, bytes(32)))
    message = refusal(log, trust, receipt_of(path, log, 9, later)).message
    assert message.endswith("the log once had 90 entries, now 44")
    unsigned = log.note().replace("\n44\n", "\n45\n")
    message = refusal(log, trust, receipt_of(path, log, 9, unsigned)).message
    assert "signature" in message
