"""What a subject's relationships with an organization are called, and which permit. Pure."""

from collections.abc import Iterable
from typing import Final, get_args

from edge.organizations.relationships import SCOPES
from edge.permissions.models import KINDS, Holder, OfOrganization, OfPlatform, Reason
from edge.spicedb import Branch, Leaf, Relation, Tree

PERMISSIONS: Final[tuple[str, ...]] = get_args(OfOrganization)
OF_PLATFORM: Final[tuple[str, ...]] = get_args(OfPlatform)
ROLES: Final = ("owner", "admin", "finance", "content", "viewer", "auditor", "board", "collector")
STAFF: Final = ("superuser", "operations", "support")


def reasons(relations: Iterable[Relation]) -> dict[str, list[Reason]]:
    """What each subject has, by subject: from the relationships of an organization."""
    held: dict[str, set[str]] = {}
    for one in relations:
        held.setdefault(one.subject, set()).add(one.relation)
    return {subject: list(_reasons(names)) for subject, names in held.items()}


def _reasons(relations: set[str]) -> Iterable[Reason]:
    for name in ROLES:
        if name in relations:
            yield Reason(kind="role", name=name)
    for scope, relation in SCOPES.items():
        if relation in relations:
            yield Reason(kind="scope", name=scope)
    for name in STAFF:
        if name in relations:
            yield Reason(kind="staff", name=name)


def permitting(tree: Tree, subject: str) -> set[str]:
    """The subject's relations that a permission comes of; none for who does not have it."""
    match tree:
        case Leaf():
            everybody = subject.partition(":")[0] + ":*"
            return {tree.relation} if {subject, everybody} & tree.subjects else set()
        case Branch(operation="union"):
            return set().union(*(permitting(child, subject) for child in tree.children))
        case Branch(operation="intersection"):
            found = [permitting(child, subject) for child in tree.children]
            return set().union(*found) if all(found) else set()
        case Branch():
            first, *without = tree.children
            is_out = any(permitting(child, subject) for child in without)
            return set() if is_out else permitting(first, subject)


def holder(subject: str, tree: Tree) -> Holder:
    """Who may, with what they may it by."""
    kind, _, identifier = subject.partition(":")
    is_everybody = identifier == "*"
    return Holder(
        kind="everybody" if is_everybody else KINDS[kind],
        id=None if is_everybody else identifier,
        through=list(_reasons(permitting(tree, subject))),
    )


def in_order(subjects: Iterable[str]) -> list[str]:
    """Everybody first, then people, keys and collectors, each by id; one wildcard says it all."""
    wildcards = [subject for subject in subjects if subject.endswith(":*")]
    named = [subject for subject in subjects if not subject.endswith(":*")]
    places = {kind: place for place, kind in enumerate(KINDS)}
    named.sort(key=lambda subject: (places[subject.partition(":")[0]], subject))
    return [*(["visitor:*"] if wildcards else []), *named]
