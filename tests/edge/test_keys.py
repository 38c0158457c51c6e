"""API keys over HTTP: shown once, rotated with overlap, revoked at once, for pages of origins."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.permissions import PermissionsRequested
from edge.database.pool import Database
from edge.keys.uses import Uses
from edge.organizations.relationships import PERSONAL_SCOPES, SCOPES
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import Answer, gift, until

SECRET: dict[str, Any] = {
    "name": "till",
    "scopes": ["donations:read", "donations:write", "organizations:read"],
}
PUBLISHABLE: dict[str, Any] = {
    "name": "page",
    "kind": "publishable",
    "origins": ["https://give.example", "http://localhost:3000"],
}


async def owned(crowd: Crowd) -> tuple[str, Person]:
    """An organization and its admin."""
    organization = (await crowd.stand.register()).id
    return organization, await crowd.member(organization, "admin")


async def made(crowd: Crowd, admin: Person, organization: str, body: dict[str, Any]) -> Any:
    answer = await admin.ask("POST", f"/v1/organizations/{organization}/api-keys", body)
    assert answer.status == 201, answer.body
    await crowd.stand.apply_permissions(organization)
    return answer.json


async def shown(crowd: Crowd, secret: str, organization: str) -> Answer:
    return await crowd.ask(secret, "GET", f"/v1/organizations/{organization}")


async def test_a_secret_is_shown_once_and_kept_nowhere(crowd: Crowd) -> None:
    organization, admin = await owned(crowd)
    place = f"/v1/organizations/{organization}/api-keys"
    first = await admin.ask("POST", place, SECRET, Idempotency_Key="k")
    secret = first.json["secret"]
    assert secret.startswith("ampk_test_") and secret.startswith(first.json["hint"])
    again = await admin.ask("POST", place, SECRET, Idempotency_Key="k")
    assert (again.status, again.json["id"], again.json["secret"]) == (201, first.json["id"], None)
    one = await admin.ask("GET", f"{place}/{first.json['id']}")
    assert (one.json["secret"], one.json["status"]) == (None, "active")
    listed = await admin.ask("GET", place)
    assert secret not in listed.body.decode()
    assert first.json["id"] in [key["id"] for key in listed.json["data"]]
    tables = await crowd.stand.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('edge', 'messages')"
    )
    for table in tables:
        rows = await crowd.stand.fetch(f"SELECT t::text AS text FROM {table['name']} t")
        for needle in (secret, secret.encode().hex()):
            assert not [row for row in rows if needle in row["text"]], table["name"]
    await crowd.stand.apply_permissions(organization)
    assert (await shown(crowd, secret, organization)).status == 200
    assert (await crowd.edge.donate(gift(organization), secret)).status == 202


async def test_keys_are_made_by_admins_with_a_second_factor(crowd: Crowd) -> None:
    organization, admin = await owned(crowd)
    place = f"/v1/organizations/{organization}/api-keys"
    finance = await crowd.member(organization, "finance")
    assert (await finance.ask("POST", place, SECRET)).code == "permission_denied"
    assert (await admin.ask_weakly("POST", place, SECRET)).code == "step_up_needed"
    stranger = await crowd.person()
    assert (await stranger.ask("POST", place, SECRET)).status == 404
    key = await made(crowd, admin, organization, SECRET)
    by_key = await crowd.ask(key["secret"], "POST", place, SECRET)
    assert (by_key.status, by_key.code) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"scopes": []}, "scope_unknown", "scopes"),
        ({"scopes": ["everything"]}, "scope_unknown", "scopes"),
        ({"scopes": ["staff"]}, "scope_unknown", "scopes"),
        ({"scopes": ["api_keys:write"]}, "scope_unknown", "scopes"),
        ({"origins": ["https://a.example"]}, "invalid_body", ""),
        ({"funds": ["fund_" + "0" * 26]}, "fund_unknown", "funds"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "time_over", "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "invalid_body", "expires_at"),
        ({"organization": "org_1"}, "invalid_body", "organization"),
        (PUBLISHABLE, "invalid_body", ""),
        (PUBLISHABLE | {"scopes": ..., "origins": []}, "invalid_body", ""),
        (PUBLISHABLE | {"scopes": ..., "origins": ["*"]}, "invalid_body", "origins.0"),
        (
            PUBLISHABLE | {"scopes": ..., "origins": ["http://a.example"]},
            "invalid_body",
            "origins.0",
        ),
        (
            PUBLISHABLE | {"scopes": ..., "origins": ["https://a.example/"]},
            "invalid_body",
            "origins.0",
        ),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    crowd: Crowd, changes: dict[str, Any], code: str, param: str
) -> None:
    organization, admin = await owned(crowd)
    body = {name: value for name, value in (SECRET | changes).items() if value is not ...}
    answer = await admin.ask("POST", f"/v1/organizations/{organization}/api-keys", body)
    assert (answer.status, answer.code, answer.json["param"]) == (422, code, param)


async def test_the_old_secret_serves_until_the_overlap_ends(crowd: Crowd) -> None:
    organization, admin = await owned(crowd)
    key = await made(crowd, admin, organization, SECRET)
    place = f"/v1/organizations/{organization}/api-keys/{key['id']}"
    rotated = await admin.ask("POST", f"{place}/rotate", {"overlap_hours": 2}, Idempotency_Key="r")
    assert (rotated.status, rotated.json["id"]) == (201, key["id"])
    until = datetime.fromisoformat(rotated.json["previous_until"]) - datetime.now(UTC)
    assert timedelta(hours=1) < until <= timedelta(hours=2)
    fresh = rotated.json["secret"]
    assert fresh != key["secret"]
    for secret in (key["secret"], fresh):
        assert (await shown(crowd, secret, organization)).status == 200
    again = await admin.ask("POST", f"{place}/rotate", {"overlap_hours": 2}, Idempotency_Key="r")
    assert (again.json["secret"], again.headers["Idempotent-Replayed"]) == (None, "true")
    assert (await shown(crowd, fresh, organization)).status == 200
    await crowd.stand.fetch(
        "UPDATE edge.api_keys SET previous_until = now() WHERE id = $1", key["id"]
    )
    await forgotten(crowd, key["secret"], organization)
    assert (await shown(crowd, fresh, organization)).status == 200
    at_once = await admin.ask("POST", f"{place}/rotate", {"overlap_hours": 0})
    await forgotten(crowd, fresh, organization)
    assert (await shown(crowd, at_once.json["secret"], organization)).status == 200


async def forgotten(crowd: Crowd, secret: str, organization: str) -> None:
    """Wait until the edge has heard that a secret is none any more; it has a moment for that."""

    async def is_nobody() -> bool:
        return (await shown(crowd, secret, organization)).status == 401

    await until(is_nobody, "the edge heard of it")


async def test_a_revoked_key_opens_nothing_and_leaves_nothing_in_spicedb(crowd: Crowd) -> None:
    organization, admin = await owned(crowd)
    key = await made(crowd, admin, organization, SECRET)
    place = f"/v1/organizations/{organization}/api-keys/{key['id']}"
    subject = f"api_key:{key['id']}"
    assert (await admin.ask("DELETE", place, If_Match='"9"')).code == "precondition_failed"
    assert (await admin.ask("DELETE", place)).status == 204
    await forgotten(crowd, key["secret"], organization)
    message = (await crowd.stand.messages(organization, "permissions.requested.v1"))[-1]
    changes = PermissionsRequested.model_validate_json(message["value"]).changes
    assert {one.operation for one in changes} == {"delete"}
    assert {(one.resource, one.relation) for one in changes if one.subject == subject} == {
        (f"organization:{organization}", "scope_donation_create"),
        (f"organization:{organization}", "scope_donation_read"),
        (f"organization:{organization}", "scope_organization_read"),
    }
    assert (await admin.ask("DELETE", place)).status == 204  # As often as one likes.
    rotated = await admin.ask("POST", f"{place}/rotate", {})
    assert (rotated.status, rotated.code) == (409, "key_revoked")
    assert (await admin.ask("GET", place)).json["status"] == "revoked"


async def test_a_publishable_key_makes_gifts_from_its_pages_and_sees_only_those(
    crowd: Crowd,
) -> None:
    organization, admin = await owned(crowd)
    page = await made(crowd, admin, organization, PUBLISHABLE)
    other = await made(crowd, admin, organization, SECRET)
    assert page["secret"].startswith("ampp_test_")
    origin = PUBLISHABLE["origins"][0]
    posted = await crowd.edge.donate(gift(organization), page["secret"], Origin=origin)
    assert posted.status == 202
    assert posted.headers["Access-Control-Allow-Origin"] == origin
    own = posted.headers["Location"]
    assert (await crowd.edge.get(own, page["secret"], Origin=origin)).status == 200
    elsewhere = await crowd.edge.donate(
        gift(organization), page["secret"], Origin="https://evil.example"
    )
    assert (elsewhere.status, elsewhere.code) == (403, "origin_not_allowed")
    foreign = (await crowd.edge.donate(gift(organization), other["secret"])).headers["Location"]
    assert (await crowd.edge.get(foreign, page["secret"], Origin=origin)).status == 404
    for method, path in (
        ("GET", f"/v1/organizations/{organization}"),
        ("GET", f"/v1/organizations/{organization}/ledger"),
        ("GET", f"{own}/receipt"),
        ("GET", "/v1/organizations"),
        ("POST", f"{own}/cancel"),
        ("POST", f"{own}/refunds"),
    ):
        answer = await crowd.ask(page["secret"], method, path)
        assert (answer.status, answer.code) == (403, "scope_missing"), path


async def test_keys_of_another_organization_are_not_there(crowd: Crowd) -> None:
    one, admin = await owned(crowd)
    other, stranger = await owned(crowd)
    key = await made(crowd, admin, one, SECRET)
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        place = f"/v1/organizations/{other}/api-keys/{key['id']}{tail}"
        answer = await stranger.ask(method, place)
        assert (answer.status, answer.code) == (404, "key_not_found")
    assert (await shown(crowd, key["secret"], one)).status == 200


async def test_uses_are_noted_to_the_hour_and_no_use_is_a_change(crowd: Crowd) -> None:
    organization, admin = await owned(crowd)
    key = await made(crowd, admin, organization, SECRET)
    place = f"/v1/organizations/{organization}/api-keys/{key['id']}"
    before = await admin.ask("GET", place)
    assert before.json["last_used_at"] is None
    database = Database(crowd.stand.settings.postgres)
    await database.open()
    uses = Uses(database)
    uses.note(key["id"], organization)
    await uses.write()
    uses.note(key["id"], organization)
    assert uses._noted == {}  # Once an hour is enough.
    await database.close()
    after = await admin.ask("GET", place)
    used = datetime.fromisoformat(after.json["last_used_at"])
    assert (used.minute, used.second, used.microsecond) == (0, 0, 0)
    assert after.headers["ETag"] == before.headers["ETag"]


async def test_uses_reach_the_database_when_the_edge_ends(crowd: Crowd) -> None:
    registered = await crowd.stand.register()
    async with crowd.stand.serve() as edge:
        assert (await edge.donate(gift(registered.id), registered.key.secret)).status == 202
    rows = await crowd.stand.fetch(
        "SELECT holder FROM edge.api_key_uses WHERE api_key = $1", registered.key.id
    )
    assert [row["holder"] for row in rows] == [registered.id]


async def test_one_holder_has_no_more_keys_than_anybody_can_oversee(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, admin = await owned(crowd)  # It has its first key already.
    monkeypatch.setattr("edge.keys.service.KEYS_MAX", 1)
    answer = await admin.ask(
        "POST",
        f"/v1/organizations/{organization}/api-keys",
        SECRET | {"name": secrets.token_hex(3)},
    )
    assert (answer.status, answer.code) == (409, "too_many_keys")


def test_no_key_can_have_what_only_persons_may() -> None:
    assert not PERSONAL_SCOPES & set(SCOPES)
