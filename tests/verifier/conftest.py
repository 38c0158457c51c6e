"""Golden vectors, their keys, and a maker of logs whose every byte a test can change."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amply_verify import canonical, tiles, tree
from amply_verify.entry import seal
from amply_verify.note import COSIGNATURE, Checkpoint, Signer, VerifierKey, parse_verifier_key
from amply_verify.trust import Trust

VECTORS = Path(__file__).parents[1] / "vectors"
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def typeid(prefix: str, number: int) -> str:
    digits = []
    for _ in range(25):
        digits.append(ALPHABET[number % 32])
        number //= 32
    return f"{prefix}_0{''.join(reversed(digits))}"


def load_vectors(name: str) -> Any:
    path = VECTORS / name
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(data)


@dataclass
class MadeLog:
    """A log that grows by `add`; `platform` and every other organization needs a `genesis`."""

    signer: Signer
    entries: list[bytes] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    orgs: list[str] = field(default_factory=list)
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.signer.key.name

    @property
    def leaves(self) -> list[bytes]:
        return [tree.leaf_hash(entry) for entry in self.entries]

    def add(self, org: str, kind: str, open_donor: bool = False, **fields: Any) -> str:
        """Append an entry with sensible fields, which `fields` replace; returns its id."""
        number = len(self.entries)
        time = datetime(2026, 3, 1) + timedelta(seconds=number)
        seq, head = self.heads.get(org, (-1, None))
        value: dict[str, Any] = {
            "id": typeid("ent", 1000 + number),
            "kind": kind,
            "org": org,
            "prev": None if head is None else head.hex(),
            "seq": seq + 1,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "v": 1,
            "visibility": "public_full",
        } | fields
        opening: dict[str, Any] = {}
        if open_donor:
            donor = {"name": f"Ann {number}"}
            salt = number.to_bytes(32)
            value["donor"] = {"sealed": seal("donor", salt, canonical.encode(donor))}
            opening["donor"] = {"salt": canonical.to_base64(salt), "value": donor}
        data = canonical.encode(value)
        self.heads[org] = (value["seq"], tree.leaf_hash(data))
        self.entries.append(data)
        self.openings.append(opening)
        self.orgs.append(org)
        return str(value["id"])

    def genesis(self, org: str, **details: Any) -> str:
        return self.add(org, "genesis", details={"name": "Org", "origin": self.origin} | details)

    def donation(self, org: str, amount_minor: int = 900, **fields: Any) -> str:
        return self.add(org, "donation", money=self.money(amount_minor), **fields)

    def census(self, org: str, **details: Any) -> str:
        members = [
            tree.leaf_hash(canonical.encode({"head": leaf.hex(), "org": name, "seq": seq}))
            for name, (seq, leaf) in sorted(self.heads.items())
        ]
        right = {"orgs": len(members), "root": tree.root_of(members).hex()}
        return self.add(org, "census", details=right | details)

    @staticmethod
    def money(amount_minor: int) -> dict[str, Any]:
        common = {"currency": "EUR", "fund": typeid("fund", 3)}
        return {
            "postings": [
                {"account": "Assets:Stripe", "amount": str(amount_minor), **common},
                {"account": "Income:Donations", "amount": str(-amount_minor), **common},
            ]
        }

    def note(self, size: int | None = None) -> str:
        leaves = self.leaves[:size]
        return self.signer.sign(Checkpoint(self.origin, len(leaves), tree.root_of(leaves)))

    def export(self, org: str, **header: Any) -> bytes:
        rows: list[dict[str, Any]] = [
            {"entry": data.decode(), "index": index, "openings": self.openings[index]}
            for index, data in enumerate(self.entries)
            if self.orgs[index] == org
        ]
        last, size = rows[-1]["index"], len(self.entries)
        proof = tree.prove_inclusion(last, size, tree.node_reader(self.leaves))
        first = {
            "checkpoint": self.note(),
            "entries": len(rows),
            "format": "amply/ledger-export/v1",
            "head": {"index": last, "proof": [canonical.to_base64(item) for item in proof]},
            "org": org,
            "origin": self.origin,
        } | header
        return b"".join(canonical.encode(line) + b"\n" for line in (first, *rows))

    def files(self) -> dict[str, bytes]:
        """Every file of the published log by its path."""
        levels = [self.leaves]
        while len(levels[-1]) >= 256:
            level = levels[-1]
            levels.append(
                [tree.fold(level[i : i + 256]) for i in range(0, len(level) // 256 * 256, 256)]
            )
        files = {"checkpoint": self.note().encode()}
        for tile in tiles.tiles_of(len(self.entries)):
            chosen = slice(tile.number * 256, tile.number * 256 + tile.width)
            files[tile.path] = b"".join(levels[tile.level][chosen])
            if tile.level == 0:
                path = tiles.bundle_path(tile.number, tile.width)
                files[path] = tiles.pack_bundle(self.entries[chosen])
        return files

    def publish(self, folder: Path) -> Path:
        for name, data in self.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def load() -> Callable[[str], Any]:
    return load_vectors


@pytest.fixture(scope="session")
def golden() -> Any:
    return load_vectors("log.json")


@pytest.fixture(scope="session")
def golden_leaves(golden: Any) -> list[bytes]:
    return [bytes.fromhex(leaf) for leaf in golden["leaf_hashes"]]


@pytest.fixture(scope="session")
def log_signer(golden: Any) -> Signer:
    return Signer(golden["origin"], bytes.fromhex(golden["log_key_seed_hex"]))


@pytest.fixture(scope="session")
def witness_signer(golden: Any) -> Signer:
    return Signer(golden["witness"], bytes.fromhex(golden["witness_key_seed_hex"]), COSIGNATURE)


@pytest.fixture(scope="session")
def log_key(golden: Any) -> VerifierKey:
    return parse_verifier_key(golden["vkey"])


@pytest.fixture(scope="session")
def trust(log_key: VerifierKey) -> Trust:
    return Trust(log_key)


@pytest.fixture
def made_log(log_signer: Signer) -> MadeLog:
    return MadeLog(log_signer)


@pytest.fixture(scope="session")
def make_id() -> Callable[[str, int], str]:
    return typeid
