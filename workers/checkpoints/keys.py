"""Which keys sign a checkpoint: those that the log says, out of the store that holds them.

Rules: before any announcement it is the key that signed last, and only for the first checkpoint of
all the store's first one; so another key in the file never signs unannounced. A key that the log
announces and the store does not hold stops the signing, and is looked for again until it is there.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from amply_verify.note import Signer as FileSigner
from amply_verify.note import split_note
from ledger.checkpoint import Signer, keys_at
from ledger.key_file import KeyFileError, unseal
from ledger.store import checkpoints as store
from ledger.store.connection import AnyConnection
from workers.settings import Settings, passphrase_file, required

Load = Callable[[], Sequence[Signer]]
"""All signers there are, the one that the log began with first; may block, raises KeyFileError."""


class KeyMissingError(RuntimeError):
    """The log is signed with a key that the key file does not hold. Put it there again."""


def key_file(settings: Settings, origin: str) -> Load:
    """Reads the signers out of the encrypted key file."""
    variables = settings.variables
    path = Path(required(variables, "AMPLY_LOG_KEY", "the encrypted file of the log's keys"))
    passphrase = passphrase_file(variables, "AMPLY_LOG_PASSPHRASE", "the file of its passphrase")

    def load() -> list[Signer]:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise KeyFileError(f"cannot read {path}: {error.strerror}") from error
        return [FileSigner(origin, key.seed) for key in unseal(data, origin, passphrase)]

    return load


class Keys:
    """The signers of one log, whose name is `origin`; `load` comes first."""

    def __init__(self, origin: str, load: Load) -> None:
        self.origin = origin
        self._load = load
        self._signers: list[Signer] = []

    async def load(self) -> None:
        """Look into the store, again if need be; raises KeyFileError."""
        self._signers = list(await asyncio.to_thread(self._load))

    @property
    def signers(self) -> Sequence[Signer]:
        """All that the store holds."""
        return self._signers

    async def newest_at(self, connection: AnyConnection, log: int, size: int) -> str:
        """The verifier key that whoever begins to trust the log at `size` takes."""
        return (await self._names(connection, log, size))[-1]

    async def at(self, connection: AnyConnection, log: int, size: int) -> list[Signer]:
        """Who signs a tree of `size`; raises KeyMissingError."""
        names = await self._names(connection, log, size)
        if not self._holds(names):
            await self.load()
        if not self._holds(names):
            raise KeyMissingError(f"these keys sign the log at {size}: {', '.join(names)}")
        return [self._named()[name] for name in names]

    async def _names(self, connection: AnyConnection, log: int, size: int) -> list[str]:
        changes = await store.key_changes(connection, log, size)
        if changes:
            return keys_at(size, changes[0].old, changes)
        newest = await store.newest(connection, log)
        if newest is None:
            return [str(self._signers[0].key)]
        _, signatures = split_note(newest.note)
        signed = {one.key_id for one in signatures if one.name == self.origin}
        for signer in self._signers:
            if signer.key.key_id in signed:
                return [str(signer.key)]
        await self.load()  # For the next try.
        wanted = ", ".join(sorted(one.hex() for one in signed))
        raise KeyMissingError(f"the key with the id {wanted} signed the log so far")

    def _holds(self, names: Sequence[str]) -> bool:
        return self._named().keys() >= set(names)

    def _named(self) -> dict[str, Signer]:
        return {str(signer.key): signer for signer in self._signers}
