"""A published log in a folder, and everything that was ever signed of it."""

from datetime import UTC, datetime
from pathlib import Path

from amply_verify.note import Signer
from amply_verify.tree import leaf_hash, root_of
from ledger.checkpoint import sign
from ledger.publication import Directory
from ledger.store.checkpoints import SignedCheckpoint
from ledger.tiles import Growth, TileFolder
from tests.workers.witnesses.witness import StandIn
from workers.witnesses.client import Client, open_session
from workers.witnesses.configuration import Witness
from workers.witnesses.decisions import Cosigned, Failure

SIGNER = Signer("log.example/log/0", bytes(range(32)))
SIZES = (1, 2, 255, 256, 257, 300, 599, 600)


class Log:
    """600 entries, each size of `SIZES` signed; `of` makes the entries of two logs differ."""

    def __init__(self, folder: Path, signer: Signer = SIGNER, of: str = "entry") -> None:
        self.folder = folder
        self.signer = signer
        entries = [f"{of} {number}".encode() for number in range(600)]
        leaves = [leaf_hash(entry) for entry in entries]
        self.signed = {size: root_of(leaves[:size]) for size in SIZES}
        growth, directory = Growth(), Directory(folder)
        for size in SIZES:
            files = growth.extend(entries[growth.size : size])
            directory.write_all((file.path, file.data) for file in files)
        directory.close()

    def note(self, size: int) -> str:
        return sign([self.signer], size, self.signed[size])

    def proof(self, old_size: int, size: int) -> list[bytes]:
        return TileFolder(self.folder).tree(size).prove_consistency(old_size)

    async def signed_root(self, size: int) -> bytes | None:
        return self.signed.get(size)

    async def ask(self, witness: Witness, old_size: int, size: int = 600) -> Cosigned | Failure:
        checkpoint = SignedCheckpoint(size, self.signed[size], self.note(size), datetime.now(UTC))
        async with open_session() as session:
            client = Client(session, checkpoint, self.folder, self.signed_root)
            return await client.ask(witness, old_size)


def asked(witness: StandIn) -> Witness:
    """How the process sees a stand-in."""
    return Witness("w", witness.signer.key, f"{witness.url}add-checkpoint")
