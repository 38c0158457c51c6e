"""Checkpoints: signed statements of a log's size and root (C2SP tlog-checkpoint, Ed25519).

Rules: exactly three lines under one signature of the log's key, whose name is the origin.
"""

from amply_verify.note import Checkpoint, Signer


def sign(signer: Signer, size: int, root: bytes) -> str:
    """The signed note of a tree head. The caller has made sure that there is no other one."""
    return signer.sign(Checkpoint(signer.key.name, size, root))


def verifier_key_file(signer: Signer) -> bytes:
    """What `vkey` holds: the log's verifier key on one line."""
    return f"{signer.key}\n".encode()
