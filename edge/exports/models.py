"""The manifest of a copy, as the API shows it."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import FundId, OrganizationId
from ledger.export_copy import FormatName


class ExportBalance(BaseModel):
    """What a fund's account holds in a currency, from the money that the copy shows."""

    fund: FundId
    account: str
    currency: str
    amount_minor: str


class ExportFigures(BaseModel):
    """`sealed` counts entries whose money the copy does not show, by visibility."""

    transactions: int
    sealed: dict[str, int]
    balances: list[ExportBalance]


class ExportManifest(BaseModel):
    """What a complete copy is.

    `entries` is how many it was made of, `records` how many rows, transactions or lines below the
    first it has. `figures` is null for JSONL, whose verifier computes them.
    """

    object: Literal["export_manifest"]
    format: FormatName
    organization: OrganizationId
    origin: str
    size: int
    checkpoint: str
    at: str
    entries: int
    records: int
    bytes: int
    sha256: str
    figures: ExportFigures | None
