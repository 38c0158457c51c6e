"""The proof of a census as the API shows it. Hashes are base64 of 32 bytes."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import OrganizationId


class CensusMember(BaseModel):
    """The organization's place among those counted, and its proof in the census's own tree."""

    index: int
    proof: list[str]


class Census(BaseModel):
    """As line 1 of an export has it: a census entry's text, its place in the log, both proofs."""

    entry: str
    index: int
    member: CensusMember
    proof: list[str]


class CensusProof(BaseModel):
    """The newest census in the checkpoint's tree counts this organization's chain."""

    object: Literal["census_proof"]
    organization: OrganizationId
    checkpoint: str
    census: Census
