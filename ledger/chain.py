"""The state that an append continues: the log's tree and time, each organization's chain, funds.

Rules: a state is never changed in place; a batch that fails to commit leaves the old one true.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from amply_verify.tree import Frontier
from ledger.visibility import Label


class Head(NamedTuple):
    """An organization's last entry: its log, its position in the chain, its leaf hash."""

    log: int
    seq: int
    leaf_hash: bytes


class Fund(NamedTuple):
    """Whose a fund is, and the currency of its assets (None until it has some)."""

    organization: str
    currency: str | None


@dataclass(frozen=True, slots=True)
class LogState:
    """A log after its last entry. `platform` is the organization of the genesis at index 0."""

    log: int
    origin: str
    size: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    last_time: datetime | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is recorded, as far as a batch's requests ask for it.

    `recorded` maps ids and references to their organizations; `seals` are donors' seals (hex);
    `labels` are the newest ones of entries whose visibility a request changes.
    """

    chains: Mapping[str, Head]
    funds: Mapping[str, Fund]
    recorded: Mapping[str, str]
    seals: Set[str]
    labels: Mapping[str, Label] = field(default_factory=dict)
