"""What all resources share: merge patches, preconditions, pages, one command for each key."""

import asyncio
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, ConfigDict, Field

from edge import listing, resources
from edge.errors import ProblemError
from edge.listing import Page
from edge.resources import Change, Command, Precondition
from tests.edge.stand import Stand


class Boat(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(min_length=1)]
    color: str = "white"
    harbour: str | None = None


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_merge_as_the_rfc_has_them(target: Any, patch: Any, result: Any) -> None:
    assert resources.merge(target, patch) == result


def test_a_change_keeps_the_rest_and_null_gives_the_default() -> None:
    boat = Boat(name="Ada", color="red", harbour="Kiel")
    change = Change(Precondition(None), {"color": None, "harbour": None})
    assert resources.changed(Boat, boat, change, 1) == Boat(name="Ada")
    assert resources.changed(Boat, boat, Change(Precondition(None), {}), 1) == boat


@pytest.mark.parametrize(
    ("patch", "param", "fault"),
    [
        ({"owner": "me"}, "owner", "extra_forbidden"),
        ({"name": None}, "name", "missing"),
        ({"name": ""}, "name", "string_too_short"),
        ({"color": {"shade": 1}}, "color", "string_type"),
    ],
)
def test_a_change_that_breaks_a_rule_names_the_field(
    patch: dict[str, Any], param: str, fault: str
) -> None:
    with pytest.raises(ProblemError) as raised:
        resources.changed(Boat, Boat(name="Ada"), Change(Precondition(None), patch), 1)
    assert raised.value.code == "invalid_body"
    assert [(one.param, one.code) for one in raised.value.faults] == [(param, fault)]


def test_the_patch_of_a_model_may_leave_out_or_remove_every_field() -> None:
    schema = resources.patch_of(Boat).model_json_schema()
    assert schema["title"] == "BoatPatch"
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    for name in ("name", "color", "harbour"):
        assert {"type": "null"} in schema["properties"][name]["anyOf"]


@pytest.mark.parametrize(
    ("header", "outcome"),
    [
        (None, "precondition_required"),
        ("*", "ok"),
        ('"7"', "ok"),
        ('"3", "7"', "ok"),
        ('"6"', "precondition_failed"),
        ('W/"7"', "precondition_failed"),
        ("7", "precondition_failed"),
        ("", "precondition_failed"),
    ],
)
def test_only_the_version_that_was_seen_is_changed(header: str | None, outcome: str) -> None:
    headers = {} if header is None else {"If-Match": header}
    request = make_mocked_request("PATCH", "/", headers=headers)
    try:
        resources.read_precondition(request).require(7)
    except ProblemError as problem:
        assert problem.code == outcome
    else:
        assert outcome == "ok"


def test_a_version_that_the_client_has_is_not_sent_again() -> None:
    for header, status in (('"7"', 304), ('W/"7"', 304), ("*", 304), ('"8"', 200), ("", 200)):
        request = make_mocked_request("GET", "/", headers={"If-None-Match": header})
        response = resources.shown(request, {"id": "boat_1"}, 7)
        assert (response.status, response.headers["ETag"]) == (status, '"7"')


FILTERS: dict[str, set[str] | re.Pattern[str]] = {
    "status": {"open", "closed"},
    "search": re.compile(r".{1,5}"),
}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("status=none", "status"),
        ("search=", "search"),
        ("search=a%0ab", "search"),
        ("search=abcdef", "search"),
        ("cursor=x", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("sort=name", "sort"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_what_a_list_cannot_be_asked_is_named(query: str, param: str) -> None:
    with pytest.raises(ProblemError) as raised:
        listing.read_page(make_mocked_request("GET", f"/?{query}"), FILTERS)
    assert (raised.value.code, raised.value.param) == ("query_not_accepted", param)


def test_a_page_names_where_the_next_one_begins() -> None:
    rows = [
        {"id": f"boat_{day}", "created_at": datetime(2027, 1, day, tzinfo=UTC)} for day in (1, 2, 3)
    ]
    page = listing.read_page(make_mocked_request("GET", "/?limit=2&status=open"), FILTERS)
    assert page.filters == {"status": "open"}
    first = page.of(rows, lambda row: {"id": row["id"]})
    assert first["data"] == [{"id": "boat_1"}, {"id": "boat_2"}]
    request = make_mocked_request("GET", f"/?cursor={first['next_cursor']}")
    following = listing.read_page(request)
    assert following.after == (datetime(2027, 1, 2, tzinfo=UTC), "boat_2")
    last = following.of(rows[2:], lambda row: {"id": row["id"]})
    assert (last["has_more"], last["next_cursor"]) == (False, None)


@dataclass(frozen=True)
class Asker:
    id: str
    organization: str
    environment: str = "test"


def test_keys_are_shared_within_an_organization_and_persons_keep_their_own() -> None:
    assert resources.tenant_of(Asker("key_1", "org_1")) == "org_1"
    assert resources.tenant_of(Asker("usr_1", "org_1")) == "usr_1"
    assert resources.tenant_of(Asker("usr_1", "")) == "usr_1"


async def test_of_equal_commands_at_once_one_makes_it(stand: Stand) -> None:
    tenant = f"org_{secrets.token_hex(6)}"
    command = Command(tenant, "test", "POST /boats", "k", bytes(32), "key_1", Boat(name="Ada"))

    async def make(number: int) -> str | None:
        async with stand.edge_connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.organizations', $1, true)", tenant)
            return await resources.claim(connection, command, f"boat_{number}")

    outcomes = await asyncio.gather(*(make(number) for number in range(5)))
    assert outcomes.count(None) == 1
    made = f"boat_{outcomes.index(None)}"
    assert {outcome for outcome in outcomes if outcome is not None} == {made}


async def test_another_command_under_the_key_is_refused_and_a_failed_one_frees_it(
    stand: Stand,
) -> None:
    tenant = f"org_{secrets.token_hex(6)}"

    def command(fingerprint: bytes) -> Command[Boat]:
        return Command(tenant, "test", "POST /boats", "k", fingerprint, "key_1", Boat(name="Ada"))

    async with stand.edge_connection() as connection:
        with pytest.raises(RuntimeError):
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.organizations', $1, true)", tenant)
                assert await resources.claim(connection, command(bytes(32)), "boat_1") is None
                raise RuntimeError("what it makes cannot be made")
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.organizations', $1, true)", tenant)
            assert await resources.earlier(connection, command(bytes(32))) is None
            assert await resources.claim(connection, command(bytes(32)), "boat_2") is None
            assert await resources.claim(connection, command(bytes(32)), "boat_3") == "boat_2"
            with pytest.raises(ProblemError) as raised:
                await resources.claim(connection, command(bytes([1]) * 32), "boat_4")
    assert raised.value.code == "idempotency_key_reused"


def test_a_page_without_a_cursor_asks_for_the_beginning() -> None:
    assert Page(2, None, {}).after_or_nulls == (None, None)
    assert Page(2, None, {}).rows_max == 3
