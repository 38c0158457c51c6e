"""Checkpoints: signed statements of a log's size and root (C2SP tlog-checkpoint, Ed25519).

Rules: exactly three lines under signatures of the log's keys, whose name is the origin. Which keys
sign at a size is what the log itself says (ledger format, section 5): from a `key_change` entry on
both, from the size `until` on the new one alone.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from amply_verify import canonical
from amply_verify.note import Checkpoint, VerifierKey


class Signer(Protocol):
    """A key that signs. It may lie in a file, in a module of hardware or at a provider."""

    @property
    def key(self) -> VerifierKey:
        """The public half; its name is the log's origin."""

    def line(self, text: str) -> str:
        """The signature line over a checkpoint's three lines (C2SP signed-note); may block."""


class KeyChange(NamedTuple):
    """What the entry at `at` announces: `new` signs, and from the size `until` on `old` no more."""

    at: int
    old: str
    new: str
    until: int


def parse_key_change(at: int, entry: bytes) -> KeyChange:
    """The announcement in a `key_change` entry."""
    details = canonical.parse(entry)["details"]
    return KeyChange(at, details["from"], details["to"], details["until"])


def keys_at(size: int, first: str, changes: Sequence[KeyChange]) -> list[str]:
    """The verifier keys that sign a tree of `size`, the newest last.

    `first` signed before all `changes`, which are given in the order of the log.
    """
    keys = [first]
    for change in changes:
        if change.at >= size:
            break
        keys = [key for key in keys if key != change.new] + [change.new]
        if size >= change.until:
            keys = [key for key in keys if key != change.old]
    return keys


def sign(signers: Sequence[Signer], size: int, root: bytes) -> str:
    """The signed note of a tree head. The caller has made sure that there is no other one."""
    (origin,) = {signer.key.name for signer in signers}
    text = Checkpoint(origin, size, root).text
    return f"{text}\n" + "".join(signer.line(text) for signer in signers)


def verifier_key_file(key: str) -> bytes:
    """What `vkey` holds: the log's newest verifier key on one line."""
    return f"{key}\n".encode()
