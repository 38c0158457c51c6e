"""Which relationships should be, and which are missing or too many. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.permissions import RelationshipChange
from edge.organizations import relationships
from edge.organizations.relationships import OF_FUNDS, SCOPES
from edge.spicedb import Relation

_OF_FUNDS: Final = frozenset(SCOPES[scope] for scope in OF_FUNDS)
#: Relations that the rows below decide: of any other one nothing is repaired and nothing deleted.
#: Whether an organization accepts gifts or publishes its ledger depends on its review as well.
GOVERNED: Final = frozenset(
    {
        ("organization", "platform"),
        ("fund", "organization"),
        ("api_key", "organization"),
        *(("organization", relation) for relation in SCOPES.values() if relation is not None),
        *(("fund", relation) for relation in _OF_FUNDS if relation is not None),
    }
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some organizations as the edge knows them: `funds` and `keys` name theirs."""

    organizations: tuple[tuple[str, bool], ...]
    funds: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """What must be touched, what must be deleted, each with the organization that it is about.

    None stands for what belongs to no organization that is known.
    """

    missing: tuple[tuple[str, Relation], ...]
    unknown: tuple[tuple[str | None, Relation], ...]


def expected(rows: Rows, recorded: Iterable[Relation]) -> dict[Relation, str]:
    """What should be, and whose it is.

    Which funds a key is limited to is in no row: what was `recorded` for it says so.
    """
    funds_of_key: dict[str, list[str]] = {}
    for one in recorded:
        if one.resource.startswith("fund:") and one.relation in _OF_FUNDS:
            funds = funds_of_key.setdefault(one.subject.removeprefix("api_key:"), [])
            funds.append(one.resource.removeprefix("fund:"))
    owned = set(rows.funds)
    found: dict[Relation, str] = {}
    for organization, accepts in rows.organizations:
        changes = relationships.of_organization(organization, (), accepts_donations=accepts)
        found |= dict.fromkeys(_relations(changes), organization)
    for fund, organization in rows.funds:
        found |= dict.fromkeys(
            _relations([relationships.of_fund(fund, organization)]), organization
        )
    for key, organization, scopes in rows.keys:
        funds = [one for one in funds_of_key.get(key, ()) if (one, organization) in owned]
        known = [scope for scope in scopes if scope in SCOPES]
        changes = relationships.of_api_key(key, organization, known, funds)
        found |= dict.fromkeys(_relations(changes), organization)
    return {one: whose for one, whose in found.items() if is_governed(one)}


def is_governed(one: Relation) -> bool:
    """Whether the rows decide over it."""
    return (one.resource.partition(":")[0], one.relation) in GOVERNED


def compare(
    wanted: dict[Relation, str], recorded: dict[Relation, str], held: Iterable[Relation]
) -> Drift:
    """What differs from what is wanted, in what was recorded or in what SpiceDB holds."""
    left = dict(wanted)
    unknown: dict[Relation, str | None] = {
        one: whose for one, whose in recorded.items() if one not in wanted and is_governed(one)
    }
    for one in held:
        if one in wanted:
            left.pop(one, None)
        elif is_governed(one):
            unknown.setdefault(one, _whose(one))
    missing = left | {one: whose for one, whose in wanted.items() if one not in recorded}
    in_order = sorted(missing, key=str)
    return Drift(
        tuple((missing[one], one) for one in in_order),
        tuple((unknown[one], one) for one in sorted(unknown, key=str)),
    )


def _whose(one: Relation) -> str | None:
    for side in (one.resource, one.subject):
        if side.startswith("organization:"):
            return side.removeprefix("organization:")
    return None


def _relations(changes: Iterable[RelationshipChange]) -> list[Relation]:
    return [Relation(one.resource, one.relation, one.subject) for one in changes]
