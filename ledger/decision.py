"""What a batch comes to: entries, what waits, is refused or known already, and the state after."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ledger.chain import Fund, Head, LogState
from ledger.entry import Composed, Request
from ledger.visibility import Label

BalanceKey = tuple[str, str, str, str]
"""Organization, fund, account, currency."""


class Refusal(NamedTuple):
    """Why a request is refused: a code for machines, a sentence for people."""

    request: Request
    code: str
    reason: str


class Refused(Exception):  # noqa: N818 - an answer to one request
    """The answer to a request that will never be an entry: what its Refusal says."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Waiting(NamedTuple):
    """A request and what it waits for: an entry's id, or an organization's for its genesis."""

    request: Request
    waits_for: str


@dataclass(slots=True)  # Not frozen: one is made for each entry, and freezing triples its cost.
class Appended:
    """An entry at its place."""

    index: int
    seq: int
    request: Request
    composed: Composed


class Decision(NamedTuple):
    """What a batch comes to, and the state after it. `balances` are changes in minor units.

    `labels` are the new ones of entries, by their ids, each with the change that gave it.
    """

    entries: list[Appended]
    waiting: list[Waiting]
    refused: list[Refusal]
    skipped: list[Request]
    time: datetime
    state: LogState
    chains: dict[str, Head]
    funds: dict[str, Fund]
    balances: dict[BalanceKey, int]
    labels: dict[str, tuple[Request, Label]]
