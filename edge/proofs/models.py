"""Proofs as the API shows them. Hashes are base64 of 32 bytes, proofs go leaf side first."""

from typing import Literal

from pydantic import BaseModel


class InclusionProof(BaseModel):
    """The entry with `leaf_hash` is at `index` in the tree of `size` (RFC 6962, 2.1.1).

    `checkpoint` is the signed note of this size; null when none was published, and then `root` is
    signed by nobody: lead it to a checkpoint with a consistency proof.
    """

    object: Literal["inclusion_proof"]
    log: int
    index: int
    size: int
    leaf_hash: str
    proof: list[str]
    root: str
    checkpoint: str | None


class ConsistencyProof(BaseModel):
    """The tree of `old` entries is a prefix of that of `new` (RFC 6962, 2.1.2).

    `checkpoint` is the signed note of the size `new`, or null as in an inclusion proof.
    """

    object: Literal["consistency_proof"]
    log: int
    old: int
    new: int
    old_root: str
    proof: list[str]
    root: str
    checkpoint: str | None
