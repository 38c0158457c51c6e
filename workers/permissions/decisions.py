"""What a batch of changes leaves behind. Pure: no await, no clock, no database."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.permissions import RelationshipChange


@dataclass(frozen=True, slots=True)
class Applied:
    """Changes that SpiceDB took, and the token that a read needs to see them."""

    organization: str
    changes: tuple[RelationshipChange, ...]
    zed_token: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last word on each relationship, with whose affair it is; the last token of each."""

    touched: list[tuple[str, RelationshipChange]]
    deleted: list[tuple[str, RelationshipChange]]
    tokens: dict[str, str]


def fold(applied: Iterable[Applied]) -> Outcome:
    """The outcome of changes in the order in which they were applied."""
    last: dict[tuple[str, str, str], tuple[str, RelationshipChange]] = {}
    tokens = {}
    for batch in applied:
        tokens[batch.organization] = batch.zed_token
        for change in batch.changes:
            key = change.resource, change.relation, change.subject
            last[key] = batch.organization, change
    words = [last[key] for key in sorted(last)]
    return Outcome(
        touched=[word for word in words if word[1].operation == "touch"],
        deleted=[word for word in words if word[1].operation == "delete"],
        tokens=tokens,
    )
