"""Funds over HTTP: one currency for good, one default each, closed only when empty, never gone."""

from typing import Any

import pytest

from edge.showing import permission_to_show
from tests.edge.office import Office
from tests.edge.scribe import Scribe

pytestmark = pytest.mark.asyncio

WELLS = {"name": "Wells", "currency": "EUR", "kind": "restricted", "goal_minor": 500_000}


async def test_a_fund_is_opened_once_shown_and_listed(office: Office) -> None:
    made = await office.post("funds", WELLS, key="wells")
    assert made.status == 201 and made.headers["ETag"] == '"1"'
    fund = made.json
    assert fund == {
        **WELLS,
        "id": fund["id"],
        "object": "fund",
        "organization": office.society.id,
        "description": "",
        "visibility": None,
        "is_default": False,
        "status": "active",
        "created_at": fund["created_at"],
        "updated_at": fund["created_at"],
    }
    again = await office.post("funds", WELLS, key="wells")
    assert (again.status, again.json) == (201, fund)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await office.post("funds", {**WELLS, "name": "Other"}, key="wells")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    shown = await office.get(made.headers["Location"])
    assert (shown.json, shown.headers["ETag"]) == (fund, '"1"')
    listed = await office.everything("funds")
    assert [one["id"] for one in listed][-1] == fund["id"] and len(listed) == 3
    kinds = await office.everything("funds?kind=restricted&currency=EUR&status=active")
    assert [one["id"] for one in kinds] == [fund["id"]]
    assert await office.told() == [("fund.created", fund["id"])]
    asked = await office.society.stand.messages(office.society.id, "permissions.requested.v1")
    assert fund["id"].encode() in asked[-1]["value"]


async def test_a_change_needs_the_version_it_is_of(office: Office) -> None:
    made = await office.post("funds", WELLS)
    path = made.headers["Location"]
    assert (await office.patch(path, {"name": "Deep wells"}, None)).status == 428
    changed = await office.patch(path, {"name": "Deep wells", "goal_minor": None}, '"1"')
    assert (changed.json["name"], changed.json["goal_minor"]) == ("Deep wells", None)
    assert changed.headers["ETag"] == '"2"'
    stale = await office.patch(path, {"name": "Shallow"}, '"1"')
    assert (stale.status, stale.code) == (412, "precondition_failed")
    for change in ({"currency": "USD"}, {"id": "x"}, {"organization": "x"}, {"name": ""}):
        refused = await office.patch(path, change, "*")
        assert (refused.status, refused.code) == (422, "invalid_body")
    assert await office.told() == [
        ("fund.created", made.json["id"]),
        ("fund.updated", made.json["id"]),
    ]


async def test_there_is_one_default_for_a_currency_and_it_cannot_go(office: Office) -> None:
    first = office.society.funds["EUR"]
    for change in ({"is_default": False}, {"status": "closed"}):
        refused = await office.patch(f"funds/{first}", change, "*")
        assert (refused.status, refused.code) == (409, "fund_is_default")
    heir = (await office.post("funds", {**WELLS, "is_default": True})).json
    assert heir["is_default"] and not (await office.get(f"funds/{first}")).json["is_default"]
    back = await office.patch(f"funds/{first}", {"is_default": True}, "*")
    assert back.json["is_default"]
    assert not (await office.get(f"funds/{heir['id']}")).json["is_default"]
    both = await office.patch(f"funds/{heir['id']}", {"is_default": True, "status": "closed"}, "*")
    assert (both.status, both.code) == (409, "fund_closed")


async def test_a_fund_closes_when_it_holds_nothing_and_takes_no_gifts_then(
    office: Office,
) -> None:
    fund = (await office.post("funds", WELLS)).json["id"]
    common = {"currency": "EUR", "fund": fund}
    lines = [
        {"account": "Assets:Stripe", "amount": "700", **common},
        {"account": "Income:Donations", "amount": "-700", **common},
    ]
    scribe = Scribe(office.society.stand)
    await scribe.append([office.society.gift("held", postings=lines)])
    refused = await office.patch(f"funds/{fund}", {"status": "closed"}, "*")
    assert (refused.status, refused.code) == (409, "fund_not_empty")
    assert "EUR 7.00" in refused.json["detail"]
    back = [{**line, "amount": str(-int(line["amount"]))} for line in lines]
    await scribe.append([office.society.gift("given back", postings=back)])
    closed = await office.patch(f"funds/{fund}", {"status": "closed"}, "*")
    assert (closed.status, closed.json["status"]) == (200, "closed")
    assert (await office.told())[-1] == ("fund.closed", fund)
    gift = {"organization": office.society.id, "amount_minor": 500, "currency": "EUR"}
    refused = await office.post("/v1/donations", {**gift, "fund": fund})
    assert (refused.status, refused.code) == (422, "fund_unknown")
    opened = await office.patch(f"funds/{fund}", {"status": "active"}, "*")
    assert opened.json["status"] == "active"


async def test_showing_more_is_for_those_who_may_decide_it(office: Office) -> None:
    stand = office.society.stand
    await stand.fetch(
        "UPDATE edge.organizations SET visibility = 'public_aggregated' WHERE id = $1",
        office.society.id,
    )
    path = f"funds/{office.society.funds['EUR']}"
    narrower = await office.patch(path, {"visibility": "internal_only"}, "*")
    assert (narrower.status, narrower.json["visibility"]) == (200, "internal_only")
    for visibility in ("public_aggregated", "public_full", None):
        wider = await office.patch(path, {"visibility": visibility}, "*")
        assert (wider.status, wider.code) == (403, "permission_denied")
    created = await office.post("funds", {**WELLS, "visibility": "public_full"})
    assert (created.status, created.code) == (403, "permission_denied")
    same = await office.post("funds", {**WELLS, "visibility": "public_aggregated"})
    assert same.status == 201


async def test_others_see_and_change_nothing(office: Office) -> None:
    stand = office.society.stand
    other = await stand.register()
    stranger = await office.society.key("funds:read", "funds:write", owner=other.id)
    fund = other.funds["EUR"]
    for path in ("funds", f"funds/{office.society.funds['EUR']}"):
        answer = await office.get(path, secret=stranger)
        assert (answer.status, answer.code) == (404, "organization_not_found")
    assert (await office.post("funds", WELLS, secret=stranger)).status == 404
    answer = await office.get(f"funds/{fund}")
    assert (answer.status, answer.code) == (404, "fund_not_found")
    answer = await office.patch(f"funds/{fund}", {"name": "Mine"}, "*")
    assert (answer.status, answer.code) == (404, "fund_not_found")
    reader = await office.society.key("funds:read")
    answer = await office.post("funds", WELLS, secret=reader)
    assert (answer.status, answer.code) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": " \u200b "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"currency": "EURO"}, "currency"),
        ({"goal_minor": 0}, "goal_minor"),
        ({"goal_minor": -5}, "goal_minor"),
        ({"goal_minor": 1.5}, "goal_minor"),
        ({"goal_minor": "1,000.00"}, "goal_minor"),
        ({"goal_minor": 10**12 + 1}, "goal_minor"),
        ({"kind": "slush"}, "kind"),
        ({"status": "closed"}, "status"),
        ({"organization": "org_1"}, "organization"),
    ],
)
async def test_what_is_no_fund_is_refused_by_field(
    office: Office, change: dict[str, Any], param: str
) -> None:
    answer = await office.post("funds", WELLS | change)
    assert (answer.status, answer.code, answer.json["param"]) == (422, "invalid_body", param)


async def test_only_owners_may_let_everything_be_shown() -> None:
    assert permission_to_show("public_full", "internal_only") == "consent_to_publication"
    assert permission_to_show("public_aggregated", "internal_only") == "change_visibility"
    assert permission_to_show("internal_only", "internal_only") is None
    assert permission_to_show("internal_only", "public_full") is None
