from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amply_verify.audit import Kept, LogReport, audit_log
from amply_verify.claims import Claim
from amply_verify.entry import parse_entry
from amply_verify.errors import RefusedError, UnreadableError
from amply_verify.note import Checkpoint, Signer
from amply_verify.policy import parse_policy
from amply_verify.source import open_log
from amply_verify.trust import Trust

MakeId = Callable[[str, int], str]


@pytest.fixture
def ids(make_id: MakeId) -> list[str]:
    return [make_id("org", number) for number in (1, 7, 5)]


@pytest.fixture
def audit(trust: Trust) -> Callable[..., LogReport]:
    def run(files: dict[str, bytes], **kept: Any) -> LogReport:
        return audit_log(files.get, trust, Kept(**kept))

    return run


def refusal(audit: Any, files: dict[str, bytes], **kept: Any) -> tuple[Any, Any]:
    with pytest.raises(RefusedError) as caught:
        audit(files, **kept)
    return caught.value.step, caught.value.index


@pytest.fixture
def log(made_log: Any, ids: list[str]) -> Any:
    """A platform and two organizations, 600 entries, two censuses."""
    platform, one, other = ids
    made_log.genesis(platform)
    made_log.genesis(one)
    made_log.census(platform)
    made_log.genesis(other)
    for number in range(4, 599):
        made_log.donation((one, other)[number % 2], open_donor=number % 3 == 0)
    made_log.census(platform)
    return made_log


def test_the_golden_log_is_verified(made_log: Any, golden: Any, load: Any, audit: Any) -> None:
    made_log.entries = [text.encode() for text in golden["entries"]]
    notes = [case["note"] for case in load("checkpoints.json")["checkpoints"]]
    report = audit(made_log.files(), checkpoints=notes)
    assert report.signed.checkpoint.size == 300
    assert (report.organizations, report.censuses, report.older) == (4, 2, 11)


def test_directories_and_urls_are_read_alike(log: Any, trust: Trust, tmp_path: Path) -> None:
    folder = log.publish(tmp_path / "log 0")
    for location in (str(folder), folder.as_uri(), folder.as_uri() + "/"):
        assert audit_log(open_log(location), trust).signed.checkpoint.size == 600
    with pytest.raises(UnreadableError):
        open_log(str(tmp_path / "none"))
    with pytest.raises(UnreadableError):
        audit_log(open_log(str(tmp_path)), trust)


def cosigned(note: str, witness_signer: Signer) -> bytes:
    return (note + witness_signer.line(note.partition("\n\n")[0] + "\n", 5)).encode()


def test_with_a_policy_the_newest_checkpoint_goes_on_from_the_cosigned_one(
    log: Any, trust: Trust, witness_signer: Signer
) -> None:
    policy = parse_policy(f"witness w {witness_signer.key}\nquorum w\n")
    careful = Trust(trust.key, policy)
    files = log.files() | {"checkpoint.witnessed": cosigned(log.note(500), witness_signer)}
    assert audit_log(files.get, trust).witnessed is None
    # What somebody kept may be newer than what the witnesses have seen by now.
    report = audit_log(files.get, careful, Kept(checkpoints=[log.note(550)]))
    assert (report.signed.checkpoint.size, report.witnessed) == (600, 500)
    assert [who.name for who in report.signed.cosignatures] == [witness_signer.key.name]
    del files["checkpoint.witnessed"]
    with pytest.raises(RefusedError, match="not cosigned by the quorum"):
        audit_log(files.get, careful)


def test_witnesses_who_saw_more_or_another_log_refuse_it(
    log: Any, trust: Trust, witness_signer: Signer, log_signer: Signer
) -> None:
    policy = parse_policy(f"witness w {witness_signer.key}\nquorum w\n")
    origin = log_signer.key.name
    for size, fault in ((601, "once had 601"), (500, "not those of back then")):
        seen = log_signer.sign(Checkpoint(origin, size, b"\1" * 32))
        files = log.files() | {"checkpoint.witnessed": cosigned(seen, witness_signer)}
        with pytest.raises(RefusedError, match=fault) as caught:
            audit_log(files.get, Trust(trust.key, policy))
        assert caught.value.step == "A6"


def test_an_empty_log_is_verified(made_log: Any, audit: Any) -> None:
    assert audit(made_log.files()).organizations == 0


def test_every_file_matters(log: Any, audit: Any) -> None:
    files = log.files()
    assert len(files) == 8
    for name, data in files.items():
        if name == "checkpoint":
            continue
        for changed in (data[:-1], data + b"\0", data[:40] + b"\xff" + data[41:], b""):
            if changed == data:
                continue
            step, _ = refusal(audit, files | {name: changed})
            assert step == "A2", name
        assert refusal(audit, {key: files[key] for key in files if key != name})[0] == "A2"


def test_the_index_of_a_flipped_bit_is_named(log: Any, audit: Any) -> None:
    files = log.files()
    tile = bytearray(files["tile/0/001"])
    tile[32 * 44] ^= 1
    assert refusal(audit, files | {"tile/0/001": bytes(tile)}) == ("A2", 300)
    bundle = files["tile/entries/001"].replace(log.entries[300], b"#" + log.entries[300][1:])
    assert refusal(audit, files | {"tile/entries/001": bundle}) == ("A2", 300)


def test_a_full_tile_stands_in_for_a_partial_that_is_gone(
    log: Any, audit: Any, ids: list[str]
) -> None:
    before = log.files()
    for _ in range(200):
        log.donation(ids[1])
    after = log.files()
    assert "tile/0/002.p/88" in before
    assert "tile/0/002.p/88" not in after
    kept = {name: before[name] for name in ("checkpoint", "tile/1/000.p/2")}
    assert audit(after | kept).signed.checkpoint.size == 600


@pytest.mark.parametrize(
    "old, new",
    [(b"\n600\n", b"\n599\n"), (b"log/0\n", b"log/1\n"), (b"\xe2\x80\x94", b"-"), (b"l", b"\xff")],
)
def test_a1(log: Any, audit: Any, old: bytes, new: bytes) -> None:
    files = log.files()
    files["checkpoint"] = files["checkpoint"].replace(old, new, 1)
    assert refusal(audit, files) == ("A1", None)


def test_a2_another_root_is_refused(log: Any, audit: Any) -> None:
    note = log.signer.sign(Checkpoint(log.origin, 600, bytes(32))).encode()
    assert refusal(audit, log.files() | {"checkpoint": note}) == ("A2", None)


@pytest.mark.parametrize(
    "kind, fields, step",
    [
        ("donation", {}, "A3"),
        ("unknown", {}, "A3"),
        ("donation", {"v": 2}, "A3"),
        ("donation", {"money": {"postings": []}}, "A3"),
        ("census", {"details": {"orgs": 3, "root": "0" * 64}}, "A3"),
        ("allocation", {"seq": 5}, "A4"),
        ("allocation", {"prev": "0" * 64}, "A4"),
        ("allocation", {"time": "2026-02-28T00:00:00.000000Z"}, "A4"),
        ("donation", {"ref": "ent_00000000000000000000000009"}, "A4"),
    ],
)
def test_a3_and_a4_name_the_entry(
    log: Any, audit: Any, ids: list[str], kind: str, fields: dict[str, Any], step: str
) -> None:
    if step == "A4":
        fields = {"money": log.money(5)} | fields
    log.add(ids[1], kind, **fields)
    log.donation(ids[2])
    assert refusal(audit, log.files()) == (step, 600)


def test_a4_over_the_log(log: Any, audit: Any, ids: list[str], make_id: MakeId) -> None:
    _, one, other = ids
    size = len(log.entries)
    log.donation(one, ref=make_id("ent", 1005))
    assert refusal(audit, log.files()) == ("A4", size), "a reference to another organization"
    log.entries[size:] = []
    log.heads[one] = _head(log, one)
    log.donation(one, id=make_id("ent", 1000))
    assert refusal(audit, log.files()) == ("A4", size), "an id twice"
    log.entries[size:] = []
    log.heads[one] = _head(log, one)
    log.donation(one, donor={"sealed": "7" * 64})
    log.donation(other, donor={"sealed": "7" * 64})
    assert refusal(audit, log.files()) == ("A4", size + 1), "a seal twice"


def test_a_second_chain_of_one_organization(log: Any, audit: Any, ids: list[str]) -> None:
    del log.heads[ids[1]]
    log.genesis(ids[1])
    assert refusal(audit, log.files()) == ("A4", 600)


def test_a_log_begins_with_the_platforms_genesis(made_log: Any, audit: Any, ids: list[str]) -> None:
    made_log.genesis(ids[1], origin="elsewhere.example/log/0")
    assert refusal(audit, made_log.files()) == ("A3", 0)


@pytest.mark.parametrize("wrong", [{"orgs": 4}, {"root": "0" * 64}])
def test_a5_and_the_first_step_counts(
    log: Any, audit: Any, ids: list[str], wrong: dict[str, Any]
) -> None:
    log.census(ids[0], **wrong)
    log.donation(ids[1])
    log.donation(ids[1])
    assert refusal(audit, log.files()) == ("A5", 600)
    log.donation(ids[1], time="2026-02-28T00:00:00.000000Z")
    assert refusal(audit, log.files()) == ("A4", 603)
    log.add(ids[1], "donation")
    assert refusal(audit, log.files()) == ("A3", 604)


def test_a6_older_checkpoints_are_prefixes(log: Any, audit: Any, ids: list[str]) -> None:
    notes = [log.note(size) for size in (0, 1, 255, 256, 300, 600)]
    assert audit(log.files(), checkpoints=notes).older == 6
    forked = log.signer.sign(Checkpoint(log.origin, 300, bytes(32)))
    larger = log.signer.sign(Checkpoint(log.origin, 601, bytes(32)))
    stranger = notes[4].replace("\n300\n", "\n301\n")
    for bad in (forked, larger, stranger, "", "x"):
        assert refusal(audit, log.files(), checkpoints=[*notes, bad]) == ("A6", None)


def test_a7_other_bytes_than_a_receipt_knows(log: Any, audit: Any) -> None:
    right = claim(*enumerate(log.leaves))
    assert audit(log.files(), claims=[right]).claims == 600
    assert refusal(audit, log.files(), claims=[right, claim((9, bytes(32)))]) == ("A7", 9)
    assert refusal(audit, log.files(), claims=[claim((600, bytes(32)))]) == ("A7", 600)


def claim(*leaves: tuple[int, bytes]) -> Claim:
    made = Claim("x")
    for index, leaf in leaves:
        made.add(index, leaf)
    return made


def _head(log: Any, org: str) -> tuple[int, bytes]:
    index = max(i for i, data in enumerate(log.entries) if org.encode() in data)
    return parse_entry(log.entries[index]).seq, log.leaves[index]
