"""A new key for the log: drawn, kept beside the old one, announced by a `key_change` entry.

Rules: the key is in the key file before the log names it, so that whoever signs finds it there; a
rotation that was cut off is finished by the next call, with the key that it drew. Keys that sign no
more leave the file. Which keys sign at which size is decided by the entry alone.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amply_verify.note import Signer
from contracts.entries import EntryRequested
from contracts.identifiers import business_id
from contracts.message import Envelope
from deploy.deployment import write_private
from ledger import key_file
from ledger.checkpoint import KeyChange, keys_at
from ledger.key_file import SigningKey
from ledger.store import checkpoints as store
from topics import outbox
from topics.publisher import Publisher
from topics.registry import ENTRIES_REQUESTED

SENDER: Final = "operations"
RECORDED_S_MAX: Final = 60.0
_POLL_S: Final = 0.1


class RotationError(RuntimeError):
    """The key cannot be changed now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file of the keys of the log named `origin`."""

    path: Path
    passphrase: bytes
    origin: str

    def read(self) -> dict[str, SigningKey]:
        """Its keys by their verifier keys, in order; KeyFileError when they cannot be read."""
        keys = key_file.unseal(self.path.read_bytes(), self.origin, self.passphrase)
        return {self.name(key): key for key in keys}

    def write(self, keys: Sequence[SigningKey]) -> None:
        """Replace the keys."""
        write_private(self.path, key_file.seal(keys, self.origin, self.passphrase).decode())

    def name(self, key: SigningKey) -> str:
        """The verifier key of a signing key."""
        return str(Signer(self.origin, key.seed).key)


async def rotate(connection: Any, kafka: str, file: KeyFile, log: int, overlap: int) -> KeyChange:
    """Change the log's key; returns when the change is recorded.

    Both keys sign while at most `overlap` entries more are recorded; 0 ends the old one at once.
    `connection` may read the ledger. RotationError while an earlier change is under way.
    """
    head = await store.head(connection, log)
    if head.size == 0:
        raise RotationError("the log is empty: nobody trusts its key yet")
    changes = await store.key_changes(connection, log, head.size)
    old, key = draw(file, head.size, changes, is_urgent=overlap == 0)
    new = file.name(key)
    message = Envelope(
        id=business_id(key.created, f"key_change:{new}"),
        type=ENTRIES_REQUESTED.name,
        time=datetime.now(UTC),
        organization=await store.platform(connection, log),
        cause=None,
        body=EntryRequested(
            kind="key_change",
            visibility="public_full",
            details={"from": old, "to": new, "until": head.size + overlap},
        ),
    )
    async with Publisher(kafka, "amply-rotate-key", timeout_s=30) as publisher:
        refused = await publisher.publish([outbox.prepare(SENDER, ENTRIES_REQUESTED, message)])
    if refused:
        raise RotationError("Kafka refused the request; the new key is kept for another try")
    return await _recorded(connection, log, new)


def draw(
    file: KeyFile, size: int, changes: Sequence[KeyChange], *, is_urgent: bool = False
) -> tuple[str, SigningKey]:
    """Who signs, and the key that follows: one that waits unannounced in the file, or a fresh one.

    It is in the file from now on. RotationError while an earlier change is under way.
    """
    keys = file.read()
    signing = keys_at(size, changes[0].old if changes else next(iter(keys)), changes)
    announced = {name for change in changes for name in (change.old, change.new)}
    waiting = [name for name in keys if name not in announced and name not in signing]
    if waiting:
        return signing[-1], keys[waiting[-1]]
    if len(signing) > 1 and not is_urgent:
        until = max(change.until for change in changes)
        raise RotationError(
            f"the log is changing its key until size {until}: wait for that,"
            " or use --overlap 0 if a key fell into wrong hands"
        )
    key = key_file.new_key(datetime.now(UTC))
    file.write([*(one for name, one in keys.items() if name in signing), key])
    return signing[-1], key


async def _recorded(connection: Any, log: int, name: str) -> KeyChange:
    deadline = time.monotonic() + RECORDED_S_MAX
    while time.monotonic() < deadline:
        size = (await store.head(connection, log)).size
        for change in await store.key_changes(connection, log, size):
            if change.new == name:
                return change
        await asyncio.sleep(_POLL_S)
    raise RotationError(
        f"the change was requested but not recorded within {RECORDED_S_MAX:.0f} s: is bookkeeping"
        " running? Call again to wait for it; the same key is used"
    )
