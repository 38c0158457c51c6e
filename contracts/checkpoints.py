"""Checkpoints: signed statements of what the log holds (C2SP tlog-checkpoint)."""

from contracts.message import Body, Sha256Hex


class CheckpointPublished(Body):
    """A checkpoint and the tiles it needs are public. `note` is the signed note, verbatim."""

    log: int
    origin: str
    size: int
    root: Sha256Hex
    note: str
