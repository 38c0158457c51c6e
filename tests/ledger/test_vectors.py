"""What we write is what the golden vectors hold, byte for byte."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from amply_verify import canonical, tree
from amply_verify.entry import Entry, parse_entry
from amply_verify.export import verify_export
from amply_verify.note import Signer, parse_verifier_key
from amply_verify.receipt import verify_receipt
from amply_verify.tiles import TileTree
from amply_verify.trust import Trust
from ledger import checkpoint, export, receipt
from ledger.accounts import is_known
from ledger.entry import Composer, DonorSeal, Request
from ledger.export_entry import StoredEntry
from ledger.tiles import Growth, paths_of

VECTORS = Path(__file__).parents[1] / "vectors"
LOG: dict[str, Any] = json.loads((VECTORS / "log.json").read_text())
ENTRIES = [entry.encode() for entry in LOG["entries"]]
OPENINGS: list[dict[str, bytes]] = [
    {name: canonical.encode(value) for name, value in opened.items()} for opened in LOG["openings"]
]
TRUST = Trust(parse_verifier_key(LOG["vkey"]))


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    growth = Growth()
    return {file.path: file.data for file in growth.extend(ENTRIES)}


@pytest.fixture
def proofs(files: dict[str, bytes]) -> TileTree:
    from amply_verify.tiles import tile_path

    return TileTree(len(ENTRIES), lambda *tile: files[tile_path(*tile)])


def request_of(entry: Entry, opened: dict[str, Any]) -> Request:
    def section(name: str) -> Any:
        return entry.shown.get(name) or (opened[name]["value"] if name in entry.seals else None)

    money, seal = section("money"), entry.seals.get("donor")
    return Request(
        id=entry.id,
        organization=entry.org,
        kind=entry.kind,
        visibility=entry.visibility,
        public_after=entry.public_after,
        ref=entry.ref,
        subject=None,
        postings=money["postings"] if money else None,
        details=section("details"),
        donor=DonorSeal("prof", seal, "") if seal else None,
    )


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_an_entry_composed_of_its_content_has_the_same_bytes(index: int) -> None:
    entry, opened = parse_entry(ENTRIES[index]), LOG["openings"][index]
    composer = Composer(
        LOG["origin"], lambda section: canonical.from_base64(opened[section]["salt"])
    )
    composed = composer.compose(request_of(entry, opened), entry.seq, entry.prev, entry.time)
    assert composed.data == ENTRIES[index]
    assert composed.leaf_hash.hex() == LOG["leaf_hashes"][index]
    for opening in composed.openings:
        assert opening.section == "donor" or opening.plain == OPENINGS[index][opening.section]
    assert all(is_known(line.account) for line, _ in composed.postings)


def test_tiles_and_bundles(files: dict[str, bytes]) -> None:
    expected = json.loads((VECTORS / "tiles.json").read_text())["tiles"]
    assert {path: hashlib.sha256(data).hexdigest() for path, data in files.items()} == expected
    assert sorted(paths_of(len(ENTRIES))) == sorted(expected)


def test_checkpoints() -> None:
    signer = Signer(LOG["origin"], bytes.fromhex(LOG["log_key_seed_hex"]))
    for one in json.loads((VECTORS / "checkpoints.json").read_text())["checkpoints"]:
        root = tree.root_of(map(tree.leaf_hash, ENTRIES[: one["size"]]))
        assert checkpoint.sign([signer], one["size"], root) == one["note"]
    assert checkpoint.verifier_key_file(str(signer.key)) == LOG["vkey"].encode() + b"\n"


def test_the_receipt(proofs: TileTree) -> None:
    expected = (VECTORS / "receipt.tlog-proof").read_bytes()
    head, _, note = expected.decode().partition("\n\n")
    index = int(head.split("\nindex ")[1].split("\n")[0])
    extra = base64.b64decode(head.split("extra ")[1].split("\n")[0])
    entry = canonical.parse(extra)["entry"].encode()
    made = receipt.render(entry, OPENINGS[index], index, proofs.prove_inclusion(index), note)
    assert made == expected
    assert verify_receipt(made, TRUST).index == index
    with pytest.raises(receipt.ReceiptError):
        receipt.render(entry, {"donor": b'"' + b"x" * (1 << 20) + b'"'}, index, [], note)


def test_the_exports(proofs: TileTree, tmp_path: Path) -> None:
    for name, sections in (
        ("export.jsonl", ()),
        ("export-members.jsonl", ("details", "donor", "money")),
    ):
        expected = (VECTORS / name).read_bytes().splitlines(keepends=True)
        first = canonical.parse(expected[0].rstrip(b"\n"))
        places = [(json.loads(one)["index"], json.loads(one)["openings"]) for one in expected[1:]]
        made = list(
            export.lines(
                (StoredEntry(index, ENTRIES[index]) for index, _ in places),
                {index: OPENINGS[index] for index, _ in places},
                sections or ("details", "money"),
            )
        )
        shown = [json.loads(line)["openings"].keys() for line in made]
        if sections:
            assert made == expected[1:]
        else:
            assert all("donor" not in names for names in shown)
        line = export.first_line(
            *(first["org"], len(places), places[-1][0], first["checkpoint"], proofs),
            first["consistency"]["size"],
        )
        census = {"census": first["census"]}
        assert canonical.encode(canonical.parse(line.rstrip(b"\n")) | census) + b"\n" == expected[0]
        path = tmp_path / name
        path.write_bytes(b"".join((line, *made)))
        with path.open("rb") as stream:
            assert verify_export(stream, TRUST, first["org"]).entries == len(places)


def test_an_export_of_nothing_is_refused(proofs: TileTree) -> None:
    note = json.loads((VECTORS / "checkpoints.json").read_text())["checkpoints"][-1]["note"]
    with pytest.raises(export.ExportError):
        export.first_line(LOG["orgs"][0], 0, 0, note, proofs)
