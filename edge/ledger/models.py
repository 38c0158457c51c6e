"""Entries and their openings, as the API shows them."""

from typing import Any, Literal

from pydantic import BaseModel

from contracts.donations import Visibility
from contracts.message import EntryId


class EntryText(BaseModel):
    """An entry as the log has it: `entry` is its exact text. It never changes."""

    id: EntryId
    kind: str
    seq: int
    index: int
    entry: str


class LedgerEntry(EntryText):
    """An entry, its newest visibility, and the openings of sealed sections that you may see."""

    visibility: Visibility
    public_after: str | None
    openings: dict[str, Any]


class EntryOpenings(BaseModel):
    """What may be seen of an entry's sealed sections by now, and its newest visibility."""

    object: Literal["openings"]
    entry: EntryId
    visibility: Visibility
    public_after: str | None
    openings: dict[str, Any]


class LedgerPage(BaseModel):
    """Entries in the order of `seq`."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[LedgerEntry]
