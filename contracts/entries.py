"""Entries: what shall be, and what was, written into the ledger."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.donations import SealedDonor, Visibility
from contracts.message import Body, EntryId, FundId, Sha256Hex
from contracts.money import LedgerAmount

EntryKind = Literal[
    "genesis",
    "donation",
    "offline_donation",
    "grant",
    "matching",
    "interest",
    "fee",
    "expense",
    "payout",
    "allocation",
    "transfer_out",
    "transfer_in",
    "refund",
    "refund_failed",
    "dispute_withdrawn",
    "dispute_reinstated",
    "payout_failed",
    "adjustment",
    "visibility_change",
    "erasure",
    "statement",
    "census",
    "key_change",
]


class PostingRequested(Body):
    """One side of an entry; positive is debit. Account names are those of the ledger format."""

    account: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9-]*(:[A-Z][A-Za-z0-9-]*)+$")]
    amount: LedgerAmount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    fund: FundId


class EntryRequested(Body):
    """Record this entry, once. The entry's id is the message's id spelled `ent_…`.

    `subject` is the business object behind it (a `don_…`, a `po_…`): how others find the entry.
    `details` holds ids, codes, dates and numbers only, never anything that identifies a person.
    """

    kind: EntryKind
    visibility: Visibility
    public_after: datetime | None = None
    ref: EntryId | None = None
    subject: Annotated[str, Field(max_length=255)] | None = None
    postings: tuple[PostingRequested, ...] | None = None
    details: dict[str, Any] | None = None
    donor: SealedDonor | None = None


class EntryRecorded(Body):
    """An entry is in the log for good. `entry` is its exact text (ledger format, section 3)."""

    entry_id: EntryId
    log: int
    index: int
    seq: int
    kind: EntryKind
    leaf_hash: Sha256Hex
    entry: str
    subject: str | None
