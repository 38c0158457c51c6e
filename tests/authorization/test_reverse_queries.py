"""Who may do this, what may I do where: the answers agree with what is checked, page by page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from edge.permissions.decisions import OF_PLATFORM, PERMISSIONS, in_order, permitting
from edge.spicedb import NEWEST, Branch, Leaf, Question, SpiceDB, Tree
from tests.authorization.cast import COLUMNS, PEOPLE, Cast, person_of
from tests.authorization.schema import permissions
from tests.authorization.walking import served
from tests.edge.stand import Answer, Served, Stand

INTERNAL = ("assist", "operate", "superuse")


@pytest.fixture
async def edge(stand: Stand) -> AsyncIterator[Served]:
    async with served(stand) as running:
        yield running


async def ask(edge: Served, cast: Cast, column: str, path: str) -> Answer:
    """The answer, once SpiceDB gives one in time."""
    answer = await edge.ask("GET", path, headers=cast.headers(column, "own"))
    for _ in range(5):
        if answer.status != 503:
            break
        answer = await edge.ask("GET", path, headers=cast.headers(column, "own"))
    return answer


async def walk(edge: Served, cast: Cast, column: str, path: str, limit: int) -> list[Any]:
    """All rows of a list, page by page."""
    rows: list[Any] = []
    cursor = ""
    while True:
        answer = await ask(edge, cast, column, f"{path}limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        assert len(answer.json["data"]) <= limit
        rows += answer.json["data"]
        if not answer.json["has_more"]:
            return rows
        cursor = f"&cursor={answer.json['next_cursor']}"


def test_every_permission_of_the_schema_can_be_asked_for() -> None:
    of_organizations = {name for kind, name in permissions() if kind == "organization"}
    assert set(PERMISSIONS) == {name for name in of_organizations if not name.startswith("is_")}
    of_platform = {name for kind, name in permissions() if kind == "platform"}
    assert set(OF_PLATFORM) == of_platform - set(INTERNAL)


def test_everybody_stands_first_and_the_order_is_stable() -> None:
    subjects = ["api_key:b", "user:z", "user:*", "visitor:*", "collector:a", "user:a"]
    assert in_order(subjects) == ["visitor:*", "user:a", "user:z", "api_key:b", "collector:a"]


def is_staff_of_another_test(row: Any) -> bool:
    """All tests share one platform, and whoever is staff there may see every organization's."""
    ours = {person_of("operations"), person_of("superuser")}
    return row["id"] not in ours and {reason["kind"] for reason in row["through"]} == {"staff"}


@pytest.mark.parametrize("limit", [3, 100])
async def test_who_may_see_payouts(edge: Served, cast: Cast, limit: int) -> None:
    own = cast.places["own"]
    path = f"/v1/organizations/{own.slug}/access?permission=view_payouts&"
    walked = await walk(edge, cast, "owner", path, limit)
    assert len({row["id"] for row in walked}) == len(walked)
    rows = [row for row in walked if not is_staff_of_another_test(row)]
    roles = ("finance", "admin", "owner", "auditor", "board", "weak_owner")
    people = [*roles, "operations", "superuser"]
    told = ("key", "key_without_scope", "revoked_key")
    keys = [own.registered.key.id, *(own.keys[one][1] for one in told)]
    assert [row["id"] for row in rows] == [
        *sorted(person_of(one) for one in people),
        *sorted(keys),
    ]
    through = {row["id"]: row["through"] for row in rows}
    assert through[person_of("finance")] == [{"kind": "role", "name": "finance"}]
    assert through[person_of("operations")] == [{"kind": "staff", "name": "operations"}]
    # It has all scopes there are.
    assert through[own.keys["key"][1]] == [{"kind": "scope", "name": "payouts:read"}]


async def test_whoever_has_a_permission_has_it_by_something_and_nobody_else_does(
    stand: Stand, cast: Cast
) -> None:
    own = cast.places["own"]
    subjects = [cast.subject(column, "own") for column in COLUMNS if column != "visitor"]
    spicedb = SpiceDB(stand.settings.spicedb, stand.settings.spicedb_token)
    about = f"organization:{own.id}"
    for permission in PERMISSIONS:
        questions = [Question(about, permission, subject) for subject in subjects]
        said = await spicedb.ask_many(questions, NEWEST)
        tree = await spicedb.tree(about, permission, NEWEST)
        by = [bool(permitting(tree, subject)) for subject in subjects]
        assert dict(zip(subjects, by, strict=True)) == dict(zip(subjects, said, strict=True))


LEAF = Leaf("o", "owner", frozenset({"user:a", "user:b"}))
BLOCKED = Leaf("o", "blocked", frozenset({"user:b"}))
STAFF = Leaf("platform:amply", "support", frozenset({"user:b", "user:c"}))
EVERYBODY = Leaf("o", "accepts_donations", frozenset({"user:*"}))


@pytest.mark.parametrize(
    ("tree", "by"),
    [
        (LEAF, {"a": {"owner"}, "b": {"owner"}, "c": set()}),
        (Branch("exclusion", (LEAF, BLOCKED)), {"a": {"owner"}, "b": set()}),
        # Who is shut out as an owner still is staff, and nothing else.
        (
            Branch("union", (Branch("exclusion", (LEAF, BLOCKED)), STAFF)),
            {"a": {"owner"}, "b": {"support"}, "c": {"support"}},
        ),
        (
            Branch("intersection", (LEAF, EVERYBODY)),
            {"a": {"owner", "accepts_donations"}, "c": set()},
        ),
        (Branch("exclusion", (LEAF, EVERYBODY)), {"a": set()}),
    ],
)
def test_what_a_permission_comes_of(tree: Tree, by: dict[str, set[str]]) -> None:
    assert {who: permitting(tree, f"user:{who}") for who in by} == by


async def test_what_everybody_may_is_told_so(edge: Served, cast: Cast) -> None:
    path = f"/v1/organizations/{cast.places['own'].slug}/access?permission=create_donation"
    [first, *_] = (await ask(edge, cast, "owner", path)).json["data"]
    assert first == {"object": "access", "kind": "everybody", "id": None, "through": []}


async def test_where_somebody_may_do_what(edge: Served, cast: Cast) -> None:
    rows = await walk(edge, cast, "finance", "/v1/me/access?", 1)
    mine = {row["organization"]: row for row in rows}
    own, suspended = cast.places["own"], cast.places["suspended"]
    assert set(mine) == {own.id, suspended.id}
    assert mine[own.id]["slug"] == own.slug
    assert mine[own.id]["through"] == [{"kind": "role", "name": "finance"}]
    assert "manage_payouts" in mine[own.id]["permissions"]
    assert "manage_payouts" not in mine[suspended.id]["permissions"]
    assert "view_payouts" in mine[suspended.id]["permissions"]
    only = await walk(edge, cast, "finance", "/v1/me/access?permission=manage_payouts&", 20)
    assert [row["organization"] for row in only] == [own.id]


async def test_who_has_nothing_anywhere_gets_an_empty_list(edge: Served, cast: Cast) -> None:
    for column in ("stranger", "blocked"):
        answer = await ask(edge, cast, column, "/v1/me/access")
        assert (answer.json["data"], answer.json["platform"]) == ([], [])


async def test_staff_see_every_organization_and_what_they_may_on_the_platform(
    edge: Served, cast: Cast
) -> None:
    rows = await walk(edge, cast, "support", "/v1/me/access?", 50)
    assert {place.id for place in cast.places.values()} <= {row["organization"] for row in rows}
    answer = await ask(edge, cast, "superuser", "/v1/me/access")
    assert answer.json["platform"] == list(OF_PLATFORM)


async def test_a_key_sees_what_it_may_on_its_own_organization(edge: Served, cast: Cast) -> None:
    [row] = (await ask(edge, cast, "key", "/v1/me/access")).json["data"]
    assert row["organization"] == cast.places["own"].id
    assert "view_payouts" in row["permissions"]
    assert "manage_members" not in row["permissions"]


@pytest.mark.parametrize(
    "query",
    [
        "permission=is_owner",
        "permission=view_payouts&cursor=!",
        "permission=view_payouts&cursor=bm9uc2Vuc2U",
        "permission=view_payouts&limit=0",
        "permission=view_payouts&limit=1000",
        "permission=view_payouts&permission=view_payouts",
    ],
)
async def test_a_malformed_question_is_refused(edge: Served, cast: Cast, query: str) -> None:
    own = cast.places["own"].slug
    for path in (f"/v1/organizations/{own}/access", "/v1/me/access"):
        answer = await ask(edge, cast, "owner", f"{path}?{query}")
        assert (answer.status, answer.code) == (422, "query_not_accepted"), path


def test_the_cast_has_everybody_once() -> None:
    assert len({person_of(column) for column in PEOPLE}) == len(PEOPLE)
