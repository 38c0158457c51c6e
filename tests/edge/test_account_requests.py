"""Asking for an account and for links: the edge queues, the accounts worker answers."""

import asyncio
from typing import Any

import pytest

from edge.accounts import decisions
from edge.organizations.service import create_api_key
from tests.edge.desk import LINK, SCOPES, Desk
from tests.edge.stand import Served, Stand


@pytest.fixture
async def desk(stand: Stand, edge: Served) -> Desk:
    return await Desk(stand, edge).open()


async def test_request_is_durable_at_once_and_answered_where_it_says(desk: Desk) -> None:
    accepted = await desk.ask("POST", body={"country": "DE"})
    assert (accepted.status, accepted.json["status"]) == (202, "pending")
    [asked] = await desk.asked()
    assert (asked.action, asked.country, asked.request) == ("create", "DE", accepted.json["id"])
    place = accepted.headers["Location"].removeprefix(desk.path)
    assert (await desk.ask("GET", place)).json == accepted.json
    await desk.answer(asked.request)
    shown = (await desk.ask("GET", place)).json
    assert (shown["status"], shown["account"], shown["url"]) == ("done", "acct_1", None)


@pytest.mark.parametrize(
    ("method", "below", "body", "action", "status"),
    [
        ("POST", "", {"country": "DE"}, "create", 201),
        ("POST", "", {"country": "DE", "replace": True}, "replace", 201),
        ("POST", "/links", {}, "onboard", 201),
        ("POST", "/links", {"type": "update"}, "update", 201),
        ("DELETE", "", None, "retire", 200),
    ],
)
async def test_who_waits_is_answered_when_the_worker_is_done(
    desk: Desk, method: str, below: str, body: Any, action: str, status: int
) -> None:
    waiting = asyncio.create_task(desk.ask(method, below, body, wait_s=20))
    asked = await desk.next_asked(1)
    assert asked.action == action
    await desk.answer(asked.request, url=LINK)
    answer = await waiting
    assert (answer.status, answer.json["status"], answer.json["url"]) == (status, "done", LINK)
    assert answer.json["expires_at"] == "2027-01-01T00:00:00.000000Z"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_link_is_shown_to_the_key_that_asked_for_it(stand: Stand, desk: Desk) -> None:
    made = await desk.ask("POST", "/links", {})
    await desk.answer(made.json["id"], url=LINK)
    async with stand.edge_connection() as connection:
        other = await create_api_key(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            organization=desk.organization,
            name="another",
            scopes=SCOPES,
        )
    await stand.apply_permissions(desk.organization)
    place = f"/requests/{made.json['id']}"
    assert (await desk.ask("GET", place)).json["url"] == LINK
    shown = (await desk.ask("GET", place, secret=other.secret)).json
    assert (shown["status"], shown["url"]) == ("done", None)


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [
        ("account_exists", 409, "account_exists"),
        ("account_missing", 409, "account_missing"),
        ("account_unavailable", 409, "account_unavailable"),
        ("country_not_supported", 422, "country_not_supported"),
        ("request_expired", 503, "unavailable"),
        ("stripe_refused", 502, "stripe_refused"),
        ("a_code_of_tomorrow", 502, "stripe_refused"),
    ],
)
async def test_refusals_are_problems(desk: Desk, code: str, status: int, problem: str) -> None:
    waiting = asyncio.create_task(desk.ask("POST", "/links", {}, wait_s=20))
    asked = await desk.next_asked(1)
    await desk.answer(asked.request, outcome="refused", code=code, account=None)
    answer = await waiting
    assert (answer.status, answer.code) == (status, problem)


async def test_repetition_is_the_same_request_and_another_body_is_not(desk: Desk) -> None:
    first = await desk.ask("POST", body={"country": "DE"}, key="one")
    again = await desk.ask("POST", body={"country": "DE"}, key="one")
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await desk.ask("POST", body={"country": "FR"}, key="one")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(await desk.asked()) == 1
    # A key is of one route: a link may use it too.
    assert (await desk.ask("POST", "/links", {}, key="one")).status == 202


@pytest.mark.parametrize(
    ("below", "body", "param"),
    [
        ("", {}, "country"),
        ("", {"country": "Germany"}, "country"),
        ("", {"country": "DE", "email": "a@b.c"}, "email"),
        ("", {"country": "DE", "replace": "yes"}, "replace"),
        ("/links", {"type": "account_update"}, "type"),
    ],
)
async def test_wrong_bodies_are_named(desk: Desk, below: str, body: Any, param: str) -> None:
    answer = await desk.ask("POST", below, body)
    assert (answer.status, answer.code, answer.json["param"]) == (422, "invalid_body", param)
    assert await desk.asked() == []


async def test_keys_without_scope_or_permission_learn_and_do_nothing(
    stand: Stand, edge: Served, desk: Desk
) -> None:
    reader = await Desk(stand, edge).open(scopes=("accounts:read",))
    assert (await reader.ask("POST", "/links", {})).code == "scope_missing"
    assert (await reader.ask("GET")).status == 200
    giver = await Desk(stand, edge).open(scopes=("donations:write",))
    assert (await giver.ask("GET")).code == "scope_missing"
    other = await Desk(stand, edge).open()
    for method, body in (("GET", None), ("POST", {"country": "DE"}), ("DELETE", None)):
        answer = await desk.ask(method, body=body, secret=other.secret)
        assert (answer.status, answer.code) == (404, "organization_not_found")
    assert await desk.asked() == []
    made = await desk.ask("POST", "/links", {})
    stranger = await other.ask("GET", f"/requests/{made.json['id']}")
    assert (stranger.status, stranger.code) == (404, "request_not_found")
    for identifier in ("areq_" + "0" * 26, "areq_x"):
        assert (await desk.ask("GET", f"/requests/{identifier}")).status == 404


async def test_state_and_what_is_due_in_plain_words(stand: Stand, desk: Desk) -> None:
    assert (await desk.ask("GET")).json["state"] == "none"
    await stand.connect(desk.organization, f"acct_{desk.organization[4:]}")
    due = ["external_account", "business_profile.url", "person_1.verification.document"]
    await stand.fetch(
        "UPDATE accounts.accounts SET charges_enabled = false, due = $2 WHERE organization = $1",
        desk.organization,
        due,
    )
    shown = (await desk.ask("GET")).json
    assert shown["state"] == "setup"
    assert shown["account"]["due"] == [
        {"name": "external_account", "description": "A bank account for payouts"},
        {"name": "business_profile.url", "description": "The organization's website"},
        {
            "name": "person_1.verification.document",
            "description": "An identity document of a person",
        },
    ]


async def test_who_waits_hears_that_an_account_is_active(stand: Stand, desk: Desk) -> None:
    waiting = asyncio.create_task(desk.ask("GET", wait_s=20))
    await stand.connect(desk.organization, f"acct_{desk.organization[4:]}")
    assert (await waiting).json["state"] == "active"


ROW = {
    "authorized": True,
    "charges_enabled": False,
    "payouts_enabled": False,
    "details_submitted": True,
    "due": [],
    "in_review": [],
}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "restricted"),
        ({"details_submitted": False}, "setup"),
        ({"details_submitted": False, "in_review": ["company.tax_id"]}, "setup"),
        ({"in_review": ["company.tax_id"]}, "review"),
        ({"in_review": ["company.tax_id"], "due": ["external_account"]}, "restricted"),
        ({"charges_enabled": True}, "restricted"),
        ({"charges_enabled": True, "payouts_enabled": True}, "active"),
        ({"charges_enabled": True, "payouts_enabled": True, "authorized": False}, "revoked"),
    ],
)
def test_states(changes: dict[str, Any], state: str) -> None:
    assert decisions.state_of(ROW | changes) == state


def test_unknown_requirements_are_spelled_out() -> None:
    assert decisions.describe("new_thing.of_stripe") == "New thing: of stripe"
