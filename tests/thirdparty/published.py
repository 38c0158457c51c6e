"""A log that our processes made and a real witness cosigned, with what people kept of it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amply_verify.audit import Kept, audit_log
from amply_verify.claims import claim_of_receipt
from amply_verify.errors import InvalidError, RefusedError
from amply_verify.note import Signer, parse_verifier_key
from amply_verify.policy import parse_policy
from amply_verify.receipt import verify_receipt
from amply_verify.source import open_log
from amply_verify.tiles import TILE_WIDTH, bundle_path, unpack_bundle
from amply_verify.trust import Trust
from ledger import receipt
from ledger.checkpoint import sign
from ledger.publication import Directory
from ledger.tiles import Growth, TileFolder
from tests.ledger.database import until
from tests.ledger.making import ORIGIN, name
from tests.thirdparty.tools import Tools, Verdict, omniwitness
from tests.workers.ledger_stand import Stand, genesis, gift

#: Every size is published, waited for, and kept; the last makes tiles of both levels, and partials.
SIZES = (257, 300, 700)
#: The entry of the receipts. It is younger than the smallest size, and in the first tile's second.
PROVEN = 256
SIGNER = Signer(ORIGIN, bytes.fromhex("07" * 32))


@dataclass(frozen=True, slots=True)
class Published:
    """`kept` has the checkpoint of each size in `SIZES`; receipts are of one entry, at two."""

    folder: Path
    key: Path
    policy: Path
    kept: dict[int, Path]
    receipt: Path
    old_receipt: Path

    @classmethod
    def below(cls, root: Path) -> "Published":
        """By its names in a folder."""
        kept = {size: root / f"checkpoint.{size}" for size in SIZES}
        return cls(
            root / "log", root / "log.vkey", root / "policy", kept,
            root / "gift.tlog-proof", root / "old.tlog-proof",
        )  # fmt: skip

    def copy(self, folder: Path) -> "Published":
        """One that may be damaged."""
        shutil.copytree(self.folder.parent, folder)
        return Published.below(folder)

    def entries(self) -> list[bytes]:
        """All entries, as they are in the bundles."""
        size = SIZES[-1]
        found: list[bytes] = []
        for start in range(0, size, TILE_WIDTH):
            path = bundle_path(start // TILE_WIDTH, min(TILE_WIDTH, size - start))
            found += unpack_bundle((self.folder / path).read_bytes())
        return found

    def sign_anew(self, entries: list[bytes]) -> None:
        """Replace the log by one of these entries, as whoever holds the key can."""
        shutil.rmtree(self.folder)
        growth, directory = Growth(), Directory(self.folder)
        directory.write_all((file.path, file.data) for file in growth.extend(entries))
        directory.write("checkpoint", sign([SIGNER], growth.size, growth.root()).encode())
        directory.close()

    def audit(self, given: Mapping[str, str | Path]) -> Verdict:
        """What our own verifier says of it, given what a third-party tool is given."""
        try:
            key = parse_verifier_key(self.key.read_text().strip())
            policy = parse_policy(Path(given["policy"]).read_text()) if "policy" in given else None
            trust = Trust(key, policy)
            claims = []
            if "receipt" in given:
                verify_receipt(Path(given["receipt"]).read_bytes(), trust)
                claims = [claim_of_receipt(str(given["receipt"]))]
            kept = Kept([Path(given["old"]).read_text()] if "old" in given else [], claims)
            audit_log(open_log(str(self.folder)), trust, kept)
        except RefusedError as error:
            return Verdict(False, f"{error.step}: {error.message}")
        except InvalidError as error:  # Of the key or the policy: nothing was judged.
            return Verdict(False, f"unreadable: {error}")
        return Verdict(True, "verified")


async def publish(stand: Stand, tools: Tools, root: Path) -> Published:
    """Have the running writer and publisher make the log, a real witness cosign it; keep all."""
    made = Published.below(root)
    for process in ("bookkeeping", "checkpoints"):
        await stand.start(process)
    platform, charity = name("org", "P"), name("org", "A")
    await stand.publish([genesis(platform), genesis(charity)])
    size = 2
    for target in SIZES:
        await stand.publish([gift(charity, number) for number in range(size, target)])
        await stand.published(size := target)
        made.kept[size].write_text(stand.checkpoint())
        if size == SIZES[1]:
            made.old_receipt.write_bytes(await _receipt(stand, stand.checkpoint(), size))
    made.key.write_bytes((stand.folder / "vkey").read_bytes())
    key = parse_verifier_key(made.key.read_text().strip())
    with omniwitness(tools, root, [key]) as witness:
        url = witness.url.removesuffix("/add-checkpoint")
        made.policy.write_text(f"log {key}\nwitness omni {witness.key} {url}\nquorum omni\n")
        variables = {"AMPLY_WITNESSES": str(made.policy), "AMPLY_WITNESS_INTERVAL_S": "1"}
        await stand.start("witnesses", **variables)
        file = stand.folder / "checkpoint.witnessed"

        async def witnessed() -> bool:
            return file.exists()

        await until(witnessed, "the witness cosigned")
    made.receipt.write_bytes(await _receipt(stand, file.read_text(), size))
    await stand.clean_up()
    shutil.copytree(stand.folder, made.folder)
    return made


async def _receipt(stand: Stand, note: str, size: int) -> bytes:
    sql = "SELECT bytes FROM ledger.entries WHERE index = $1"
    entry = await stand.database.value(sql, PROVEN)
    proof = TileFolder(stand.folder).tree(size).prove_inclusion(PROVEN)
    return receipt.render(entry, {}, PROVEN, proof, note)
