"""A topic: one name, one body, one key, who may send to it, how long it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal

from contracts.message import BodyT, Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Generic[BodyT]):
    """`key` orders messages: those of one key stay in order. `partition` overrides the key's hash.

    A `fact` has exactly one sender. A `command` belongs to its consumer and lists its senders.
    `retention_days` None keeps records for ever; `compacted` keeps the newest record of each key.
    """

    name: str
    body: type[BodyT]
    kind: Literal["fact", "command"]
    senders: frozenset[str]
    key: Callable[[Envelope[BodyT]], str]
    partition: Callable[[Envelope[BodyT]], int] | None = None
    partitions: int = 12
    retention_days: int | None = 30
    compacted: bool = False
