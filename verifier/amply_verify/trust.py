"""Step 1 of every verification: whose checkpoint this is, and who cosigned it."""

from collections.abc import Sequence
from typing import NamedTuple

from amply_verify.errors import NoteError
from amply_verify.note import Checkpoint, Cosignature, VerifierKey, open_checkpoint
from amply_verify.policy import Policy


class Trust(NamedTuple):
    """What the verifying person brought: the log's key and perhaps a witness policy.

    Nothing that is read ever changes the key; a `key_change` entry is only an announcement.
    """

    key: VerifierKey
    policy: Policy | None = None

    @property
    def asks_witnesses(self) -> bool:
        """Whether the log's own signature does not suffice."""
        return self.policy is not None and not self.policy.is_met(())


class Signed(NamedTuple):
    """A checkpoint that the log signed, with the cosignatures of the policy's witnesses."""

    checkpoint: Checkpoint
    cosignatures: Sequence[Cosignature]


def open_trusted(note: str, trust: Trust) -> Signed:
    """The checkpoint of a note, signed by the trusted key and cosigned as the policy asks.

    Raises NoteError. Source: sections 6 and 7, step 1.
    """
    policy = trust.policy
    witnesses = () if policy is None else tuple(policy.witnesses.values())
    checkpoint, cosignatures = open_checkpoint(note, trust.key, witnesses)
    if policy is not None:
        if not policy.allows_log(trust.key):
            raise NoteError("the policy does not list this log's key")
        if not policy.is_met({(who.name, who.key_id) for who in cosignatures}):
            raise NoteError("the checkpoint is not cosigned by the quorum that the policy asks for")
    return Signed(checkpoint, cosignatures)
