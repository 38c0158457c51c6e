"""Which relationships are missing, wrong or too many. Pure.

A relationship goes by its names (resource, relation, subject): there is one of them, whatever end
or condition it has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from contracts.permissions import RelationshipChange
from edge.organizations.relationships import PLATFORM, change_of
from edge.spicedb import Relation

Names = tuple[str, str, str]
"""Resource, relation, subject."""

#: Kinds of resources that relationships are of.
KINDS: Final = ("api_key", "collector", "fund", "organization", "platform")
#: What no row decides over, but operators by hand: it takes and gives nothing.
BY_HAND: Final = frozenset({("organization", "blocked")})


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the permissions worker wrote, and in whose name."""

    relation: Relation
    organization: str


@dataclass(slots=True)
class Drift:
    """What is missing or wrong, and what is too much, of one organization's affairs."""

    missing: set[Names] = field(default_factory=set)
    unknown: set[Names] = field(default_factory=set)


def is_governed(names: Names) -> bool:
    """Whether rows decide over it."""
    return (names[0].partition(":")[0], names[1]) not in BY_HAND


def missing(
    wanted: Iterable[Relation],
    recorded: Mapping[Names, Recorded],
    held: Mapping[Names, Relation],
) -> set[Names]:
    """What is not held as it is wanted, or was not recorded so."""
    return {
        one.names
        for one in wanted
        if held.get(one.names) != one
        or one.names not in recorded
        or recorded[one.names].relation != one
    }


def unknown(
    wanted: Iterable[Relation],
    recorded: Iterable[Names],
    held: Iterable[Names],
) -> set[Names]:
    """What is held or recorded and nobody wants."""
    left = {*recorded, *held} - {one.names for one in wanted}
    return {names for names in left if is_governed(names)}


def owner(names: Names, owners: Mapping[str, str], platform: str | None) -> str | None:
    """Whose rows decide over it; None: nobody's that is known.

    `owners` has the organization of each fund and key by its name, `fund:…` and `api_key:…`.
    """
    resource, _, subject = names
    kind = resource.partition(":")[0]
    if resource == PLATFORM or kind == "collector":
        return platform
    if resource in owners:
        return owners[resource]
    for side in (resource, subject):
        if side.startswith("organization:"):
            return side.removeprefix("organization:")
    return None


def repairs(drift: Drift, wanted: Iterable[Relation]) -> list[RelationshipChange]:
    """What to touch and what to delete of a drift, by rows as they are now."""
    now = {one.names: one for one in wanted}
    touched = [change_of("touch", now[names]) for names in sorted(drift.missing) if names in now]
    gone = [Relation(*names) for names in sorted(drift.unknown) if names not in now]
    return [*touched, *(change_of("delete", one) for one in gone)]
