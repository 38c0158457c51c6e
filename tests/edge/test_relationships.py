"""Which relationships follow from each kind of row, and what SpiceDB is told when rows change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.organizations.relationships import (
    EVERYBODY,
    SAYS,
    CollectionRow,
    CollectorRow,
    FundRow,
    KeyRow,
    MemberRow,
    OrganizationRow,
    Row,
    StaffRow,
    changes,
    following,
)
from edge.reconciler.decisions import BY_HAND, KINDS
from edge.spicedb import Relation
from tests.authorization.schema import SCHEMA, relations

NOW = datetime(2027, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def organization(status: str, review: str = "approved", *, accepts: bool = True) -> OrganizationRow:
    return OrganizationRow("o", status, review, accepts)


PLATFORM = "organization:o#platform@platform:amply"


def everybody(*names: str) -> list[str]:
    return [f"organization:o#{name}@{subject}" for name in names for subject in EVERYBODY]


#: Of each kind of row, in each state that matters, all that follows.
FOLLOWS: tuple[tuple[Row, list[str]], ...] = (
    (organization("pending", "requested"), [PLATFORM]),
    (organization("verified"), [PLATFORM, *everybody("public_ledger", "accepts_donations")]),
    (organization("verified", accepts=False), [PLATFORM, *everybody("public_ledger")]),
    (
        organization("suspended"),
        [PLATFORM, *everybody("public_ledger", "accepts_donations", "suspended")],
    ),
    (organization("closed"), [PLATFORM, *everybody("public_ledger", "suspended")]),
    (organization("closed", "rejected"), [PLATFORM, *everybody("suspended")]),
    (MemberRow("o", "u", "finance"), ["organization:o#finance@user:u"]),
    (MemberRow("o", "u", None), []),
    (MemberRow("o", "u", "auditor", LATER), ["organization:o#auditor@user:u"]),
    (MemberRow("o", "u", "auditor", NOW), []),
    (FundRow("f", "o"), ["fund:f#organization@organization:o"]),
    (
        KeyRow("k", "o", ("exports", "reconciliation:read", "ledger:read", "a scope of later")),
        ["api_key:k#organization@organization:o", "organization:o#scope_ledger_export@api_key:k"],
    ),
    (
        KeyRow("k", "o", ("ledger:read_internal", "donors:read"), ("f",), LATER),
        [
            "api_key:k#organization@organization:o",
            "organization:o#scope_donor_read@api_key:k",
            "fund:f#scope_ledger_read@api_key:k",
        ],
    ),
    (KeyRow("k", "o", ("donors:read",), (), NOW), []),
    (KeyRow("k", "o", ("donors:read",), is_revoked=True), []),
    (CollectorRow("c", "u"), ["collector:c#platform@platform:amply", "collector:c#manager@user:u"]),
    (CollectionRow("o", "c", is_allowed=True), ["organization:o#collector@collector:c"]),
    (CollectionRow("o", "c", is_allowed=False), []),
    (StaffRow("u", "support"), ["platform:amply#support@user:u"]),
    (StaffRow("u", None), []),
)


@pytest.mark.parametrize(("row", "expected"), FOLLOWS, ids=range(len(FOLLOWS)))
def test_what_follows_from_a_row(row: Row, expected: list[str]) -> None:
    assert sorted(map(str, following([row], NOW))) == sorted(expected)


@pytest.mark.parametrize(("row", "expected"), FOLLOWS, ids=range(len(FOLLOWS)))
def test_what_is_told_makes_what_follows_whatever_was_before(row: Row, expected: list[str]) -> None:
    others = [one for one, _ in FOLLOWS if type(one) is type(row) and one != row]
    if isinstance(row, KeyRow):  # Scopes and funds of a key never change.
        others = [KeyRow(row.id, row.organization, row.scopes, row.funds)]
    for before in others:
        held = set(map(str, following([before], NOW)))
        for change in changes([row], NOW):
            name = f"{change.resource}#{change.relation}@{change.subject}"
            assert change.operation == ("touch" if name in expected else "delete")
            held = held | {name} if change.operation == "touch" else held - {name}
        assert held == set(expected), before


def test_a_role_that_ends_says_when_and_is_deleted_by_name_alone() -> None:
    row = MemberRow("o", "u", "auditor", LATER)
    ends = {one.relation: one.expires_at for one in changes([row], NOW)}
    assert ends.pop("auditor") == LATER
    assert set(ends.values()) == {None}
    leftover = Relation("organization:o", "board", "user:u", LATER)
    for one in changes([MemberRow("o", "u", None)], NOW, [leftover]):
        assert (one.operation, one.expires_at) == ("delete", None)


def test_what_holds_is_no_leftover() -> None:
    row, kept = MemberRow("o", "u", "owner"), Relation("organization:o", "owner", "user:u")
    lost = Relation("fund:f", "manager", "user:u")
    told: dict[Any, str] = {
        (one.resource, one.relation): one.operation for one in changes([row], NOW, [kept, lost])
    }
    assert told["organization:o", "owner"] == "touch"
    assert told["fund:f", "manager"] == "delete"


def test_each_kind_of_row_has_its_states_in_the_table_above() -> None:
    assert {type(row) for row, _ in FOLLOWS} == set(SAYS)


def test_all_that_the_schema_grants_follows_from_rows_or_is_named_as_made_by_hand() -> None:
    said = {
        (one.resource.partition(":")[0], one.relation)
        for row, _ in FOLLOWS
        for one, _ in SAYS[type(row)](row, NOW)
    }
    scopes = {one for one in relations(SCHEMA) if one[1].startswith("scope_")}
    # Nothing makes people of single funds yet: what is found of them is taken.
    of_funds = {("fund", "manager"), ("fund", "auditor")}
    assert said | scopes | of_funds | BY_HAND == set(relations(SCHEMA))
    assert {kind for kind, _ in relations(SCHEMA)} == set(KINDS)
