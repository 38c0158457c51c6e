"""Bookings over HTTP: simple words become balanced entries, nothing is overdrawn, all is once."""

import asyncio
from typing import Any

import pytest

from tests.edge.office import Office

pytestmark = pytest.mark.asyncio


def simple(office: Office, kind: str, amount_minor: int = 1000, **more: Any) -> dict[str, Any]:
    fund = office.society.funds["EUR"]
    body: dict[str, Any] = {"kind": kind, "fund": fund, "currency": "EUR"}
    if kind == "expense":
        body["lines"] = [{"amount_minor": amount_minor}]
    else:
        body["amount_minor"] = amount_minor
    return body | more


async def book(office: Office, body: dict[str, Any], **how: Any) -> Any:
    answer = await office.post("bookings", body, **how)
    assert answer.status == 202, answer.json
    return answer.json


async def granted(office: Office, amount_minor: int = 10_000) -> None:
    """Money on the bank account of the fund, recorded."""
    await book(office, simple(office, "grant", amount_minor))
    await office.record()


async def assets(office: Office) -> dict[tuple[str, str], int]:
    rows = await office.society.stand.fetch(
        "SELECT fund, account, amount::bigint AS n FROM ledger.balances"
        " WHERE organization = $1 AND account LIKE 'Assets:%' AND amount <> 0",
        office.society.id,
    )
    return {(row["fund"], row["account"]): row["n"] for row in rows}


async def test_each_kind_becomes_an_entry_and_the_transactions_say_it(office: Office) -> None:
    await granted(office)
    fund = office.society.funds["EUR"]
    other = (await office.post("funds", {"name": "Wells", "currency": "EUR"})).json["id"]
    lines = [{"amount_minor": 300, "purpose": "Wells"}, {"amount_minor": 200, "purpose": "Wells"}]
    asked = [
        simple(office, "expense", lines=[*lines, {"amount_minor": 50}], reference="R-7"),
        simple(office, "grant_out", 400, occurred_on="2027-01-05"),
        simple(office, "interest", 7),
        simple(office, "allocation", 600, to_fund=other),
        simple(office, "offline_donation", 2500, method="cash"),
        simple(office, "offline_donation", 1500, method="cheque"),
    ]
    made = [await book(office, body) for body in asked]
    assert {one["status"] for one in made} == {"pending"}
    assert made[0]["terms"] == asked[0] | {"account": "bank"}
    assert [one["amount_minor"] for one in made] == [550, 400, 7, 600, 2500, 1500]
    await office.record()
    for one in made:
        shown = (await office.get(f"bookings/{one['id']}")).json
        assert (shown["status"], shown["entries"]) == ("recorded", one["entries"])
    assert await assets(office) == {
        (fund, "Assets:Bank"): 10_000 - 550 - 400 + 7 - 600 + 1500,
        (fund, "Assets:Cash"): 2500,
        (other, "Assets:Bank"): 600,
    }
    told = {
        (one["booking"], one["fund"], one["type"]): one["amount_minor"]
        for one in await office.everything("transactions")
    }
    assert told | {} == {
        **{key: minor for key, minor in told.items() if key[2] == "grant"},
        (made[0]["id"], fund, "expense"): -550,
        (made[1]["id"], fund, "grant_out"): -400,
        (made[2]["id"], fund, "interest"): 7,
        (made[3]["id"], fund, "transfer_out"): -600,
        (made[3]["id"], other, "transfer_in"): 600,
        (made[4]["id"], fund, "donation"): 2500,
        (made[5]["id"], fund, "donation"): 1500,
    }
    listed = await office.everything("bookings?kind=offline_donation")
    assert [one["id"] for one in listed] == [made[4]["id"], made[5]["id"]]


async def test_a_booking_is_made_once_for_its_key(office: Office) -> None:
    body = simple(office, "grant", 5000)
    first = await office.post("bookings", body, key="once")
    again = await office.post("bookings", body, key="once")
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await office.post("bookings", simple(office, "grant", 5001), key="once")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    rows = await office.society.stand.messages(office.society.id, "entries.requested.v1")
    assert len(rows) == 2  # The genesis, and one grant.


async def test_no_fund_is_overdrawn_also_by_bookings_at_once(office: Office) -> None:
    empty = await office.post("bookings", simple(office, "expense", 1))
    assert (empty.status, empty.code) == (409, "fund_overdrawn")
    await granted(office, 1000)
    answers = await asyncio.gather(
        *(office.post("bookings", simple(office, "expense", 400)) for _ in range(5))
    )
    assert sorted(answer.status for answer in answers) == [202, 202, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.code == "fund_overdrawn" and "EUR 2.00" in refused.json["detail"]
    await office.record()
    assert (await office.post("bookings", simple(office, "expense", 201))).status == 409
    assert (await office.post("bookings", simple(office, "expense", 200))).status == 202
    cash = await office.post("bookings", simple(office, "grant_out", 1, account="cash"))
    assert (cash.status, cash.code) == (409, "fund_overdrawn")


async def test_a_wrong_booking_is_reversed_and_replaced_at_once(office: Office) -> None:
    await granted(office, 1000)
    wrong = await book(office, simple(office, "expense", 900))
    correction = {"kind": "correction", "corrects": wrong["id"]}
    early = await office.post("bookings", correction)
    assert (early.status, early.code) == (409, "booking_not_recorded")
    await office.record()
    much = simple(office, "expense", 1001)
    answer = await office.post("bookings", {**correction, "replacement": much})
    assert (answer.status, answer.code) == (409, "fund_overdrawn")
    right = await book(office, {**correction, "replacement": simple(office, "expense", 90)})
    assert (right["amount_minor"], len(right["entries"])) == (90, 2)
    await office.record()
    fund = office.society.funds["EUR"]
    assert await assets(office) == {(fund, "Assets:Bank"): 910}
    assert (await office.get(f"bookings/{wrong['id']}")).json["corrected_by"] == right["id"]
    twice = await office.post("bookings", correction)
    assert (twice.status, twice.code) == (409, "booking_corrected")
    undone = await book(office, {"kind": "correction", "corrects": right["id"]})
    await office.record()
    assert await assets(office) == {(fund, "Assets:Bank"): 1000}
    assert (await office.get(f"bookings/{undone['id']}")).json["status"] == "recorded"


async def test_what_the_ledger_refuses_is_told_with_its_reason(office: Office) -> None:
    made = await book(office, simple(office, "grant"))
    await office.society.stand.fetch(
        "INSERT INTO events.refused_entries VALUES ($1, $2, 'foreign_fund', 'not yours', now())",
        made["entries"][0],
        office.society.id,
    )
    shown = (await office.get(f"bookings/{made['id']}")).json
    assert (shown["status"], shown["refusal"]) == (
        "refused",
        {"code": "foreign_fund", "reason": "not yours"},
    )


async def test_a_transfer_needs_both_organizations(office: Office) -> None:
    stand, fund = office.society.stand, office.society.funds["EUR"]
    other = await stand.register()
    taker = await office.society.key("bookings:write", "bookings:read", owner=other.id)
    path = f"/v1/organizations/{other.id}/bookings"
    await granted(office, 1000)
    offer = simple(office, "transfer_out", 700, to_organization=other.id)
    given = await book(office, offer)
    assert (given["status"], given["entries"]) == ("pending", [])
    refused = await office.post("bookings", simple(office, "expense", 301))
    assert (refused.status, refused.code) == (409, "fund_overdrawn")
    take = {
        "kind": "transfer_in",
        "transfer": given["transfer"],
        "fund": other.funds["EUR"],
        "currency": "EUR",
        "amount_minor": 700,
    }
    assert (await office.post("bookings", take)).code == "transfer_not_found"
    less = await office.post(path, {**take, "amount_minor": 699}, secret=taker)
    assert (less.status, less.code) == (422, "currency_mismatch")
    taken = await office.post(path, take, secret=taker)
    assert taken.status == 202, taken.json
    again = await office.post(path, take, secret=taker)
    assert (again.status, again.code) == (409, "transfer_taken")
    await office.record(office.society.id, other.id)
    for where, key, name in (("bookings", office.key, given), (path, taker, taken.json)):
        shown = (await office.get(f"{where}/{name['id']}", secret=key)).json
        assert shown["status"] == "recorded" and len(shown["entries"]) == 1
    assert await assets(office) == {(fund, "Assets:Bank"): 300}


async def test_an_offer_that_nobody_took_can_be_withdrawn(office: Office) -> None:
    other = await office.society.stand.register()
    taker = await office.society.key("bookings:write", owner=other.id)
    await granted(office, 1000)
    given = await book(office, simple(office, "transfer_out", 900, to_organization=other.id))
    back = await book(office, {"kind": "correction", "corrects": given["id"]})
    assert (back["status"], back["entries"]) == ("recorded", [])
    assert (await office.get(f"bookings/{given['id']}")).json["status"] == "withdrawn"
    take = simple(office, "transfer_in", 900, transfer=given["transfer"], fund=other.funds["EUR"])
    path = f"/v1/organizations/{other.id}/bookings"
    answer = await office.post(path, take, secret=taker)
    assert (answer.status, answer.code) == (404, "transfer_not_found")
    assert (await office.post("bookings", simple(office, "expense", 1000))).status == 202


@pytest.mark.parametrize("amount", ["1,000.00", "１０", 0, -5, 0.001, 1e19, 10**12 + 1, None, True])
async def test_the_amounts_of_offline_gifts_follow_the_rule_of_all_others(
    office: Office, amount: Any
) -> None:
    body = simple(office, "offline_donation", method="cash") | {"amount_minor": amount}
    answer = await office.post("bookings", body)
    assert (answer.status, answer.code) == (422, "invalid_body")


async def test_what_cannot_be_booked_is_refused_by_field(office: Office) -> None:
    other = await office.society.stand.register()
    missing = "0" * 26
    for body, code, param in (
        (simple(office, "bribe"), "invalid_body", ""),
        (simple(office, "grant", currency="USD"), "currency_mismatch", "currency"),
        (simple(office, "grant", fund=other.funds["EUR"]), "fund_unknown", "fund"),
        (simple(office, "grant", account="Assets:Stripe"), "invalid_body", "grant.account"),
        (simple(office, "expense", lines=[]), "invalid_body", "expense.lines"),
        (simple(office, "expense", project=f"proj_{missing}"), "project_unknown", "project"),
        (
            simple(office, "allocation", to_fund=office.society.funds["USD"]),
            "currency_mismatch",
            "currency",
        ),
        (
            simple(office, "transfer_out", to_organization=office.society.id),
            "organization_unknown",
            "to_organization",
        ),
    ):
        answer = await office.post("bookings", body)
        assert (answer.status, answer.code) == (422, code), (body, answer.json)
        assert answer.json.get("param", "") == param
    answer = await office.post("bookings", {"kind": "correction", "corrects": f"book_{missing}"})
    assert (answer.status, answer.code) == (404, "booking_not_found")


async def test_others_see_no_bookings_and_readers_make_none(office: Office) -> None:
    made = await book(office, simple(office, "grant"))
    other = await office.society.stand.register()
    stranger = await office.society.key("bookings:read", "bookings:write", owner=other.id)
    for path in ("bookings", f"bookings/{made['id']}", "transactions"):
        assert (await office.get(path, secret=stranger)).status in {403, 404}
    own = f"/v1/organizations/{other.id}/bookings/{made['id']}"
    answer = await office.get(own, secret=stranger)
    assert (answer.status, answer.code) == (404, "booking_not_found")
    reader = await office.society.key("bookings:read")
    answer = await office.post("bookings", simple(office, "grant"), secret=reader)
    assert (answer.status, answer.code) == (403, "scope_missing")
