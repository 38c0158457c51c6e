"""Deposits and what adds up to them, over HTTP."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.edge.deposits import CREATED, Deposits
from tests.edge.stand import Served

pytestmark = pytest.mark.asyncio


async def test_totals_and_items_add_up_to_the_deposit_to_the_cent(
    deposits: Deposits, edge: Served
) -> None:
    key = await deposits.society.key("payouts:read")
    listed = (await edge.get(deposits.path, key)).json
    [summary] = listed["data"]
    assert (summary["amount_minor"], summary["attribution"]) == (2850, "stripe")
    path = f"{deposits.path}/{summary['id']}"
    shown = (await edge.get(path, key)).json
    fund = deposits.society.funds["EUR"]
    totals = {
        (row["category"], row["fund"]): (row["gross_minor"], row["fee_minor"], row["net_minor"])
        for row in shown["totals"]
    }
    assert totals == {
        ("charge", fund): (3363, 63, 3300),
        ("refund", fund): (-500, 0, -500),
        ("charge", None): (100, 0, 100),
        ("payout_fee", None): (0, 50, -50),
    }
    assert sum(net for _, _, net in totals.values()) == shown["amount_minor"] == 2850
    items, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = (await edge.get(f"{path}/items?limit=1{more}", key)).json
        items += page["data"]
        cursor = page["next_cursor"]
    assert [(item["net_minor"], item["is_part"]) for item in items] == [
        (100, False),
        (2437, False),
        (863, True),
        (-500, False),
    ]
    assert sum(item["net_minor"] for item in items) == 2850 + 50
    assert {item["fund"] for item in items} == {fund, None}
    for item in items:
        assert item["gross_minor"] - item["fee_minor"] == item["net_minor"]
        assert not {"name", "email", "donor"} & set(item)


async def test_the_csv_adds_up_to_the_deposit(deposits: Deposits, edge: Served) -> None:
    key = await deposits.society.key("payouts:read")
    [summary] = (await edge.get(deposits.path, key)).json["data"]
    answer = await edge.get(f"{deposits.path}/{summary['id']}/items.csv", key)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert len(rows) == 5
    assert sum(Decimal(row["net"]) for row in rows) == Decimal("28.50")
    for row in rows:
        assert Decimal(row["gross"]) - Decimal(row["fee"]) == Decimal(row["net"])
    assert rows[-1]["category"] == "payout_fee"


async def test_what_waits_says_so_and_has_no_items_yet(deposits: Deposits, edge: Served) -> None:
    key = await deposits.society.key("payouts:read")
    name = await deposits.payout(
        f"po_waits_{deposits.society.slug}",
        900,
        rule=None,
        foreign_minor=None,
        split_at=None,
        waiting_since=CREATED,
        waiting_for=3,
        created_at=CREATED + timedelta(days=1),
    )
    newest, _ = (await edge.get(deposits.path, key)).json["data"]
    assert (newest["id"], newest["attribution"]) == (name, None)
    assert newest["waiting"] == {"since": "2027-03-01T00:00:00.000000Z", "lines": 3}
    for path in ("items", "items.csv"):
        answer = await edge.get(f"{deposits.path}/{name}/{path}", key)
        assert (answer.status, answer.code) == (409, "payout_not_split")


async def test_manual_payouts_say_that_they_are_attributed_by_rule(
    deposits: Deposits, edge: Served
) -> None:
    key = await deposits.society.key("payouts:read")
    name = f"po_manual_{deposits.society.slug}"
    await deposits.payout(name, 1, automatic=False, rule="first_in_first_out")
    shown = (await edge.get(f"{deposits.path}/{name}", key)).json
    assert (shown["attribution"], shown["rule"]) == ("rule", "first_in_first_out")


async def test_payouts_are_listed_newest_first_in_pages(deposits: Deposits, edge: Served) -> None:
    key = await deposits.society.key("payouts:read")
    for day in range(1, 6):
        name = f"po_{day}_{deposits.society.slug}"
        await deposits.payout(name, day, created_at=CREATED + timedelta(days=day))
    amounts, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = (await edge.get(f"{deposits.path}?limit=2{more}", key)).json
        amounts += [payout["amount_minor"] for payout in page["data"]]
        cursor = page["next_cursor"]
    assert amounts == [5, 4, 3, 2, 1, 2850]


@pytest.mark.parametrize("cursor", ["x", "", "MjAyNw", "////"])
async def test_other_cursors_are_refused(deposits: Deposits, edge: Served, cursor: str) -> None:
    key = await deposits.society.key("payouts:read")
    answer = await edge.get(f"{deposits.path}?cursor={cursor}", key)
    assert (answer.status, answer.code) == (422, "query_not_accepted")


async def test_other_keys_and_other_organizations_see_nothing(
    deposits: Deposits, edge: Served
) -> None:
    society = deposits.society
    [payout] = (await edge.get(deposits.path, await society.key("payouts:read"))).json["data"]
    other = await society.stand.register()
    paths = [f"{deposits.path}/{payout['id']}{end}" for end in ("", "/items", "/items.csv")]
    for path in (deposits.path, *paths):
        answer = await edge.get(path, await society.key("ledger:read"))
        assert (answer.status, answer.code) == (403, "scope_missing")
        answer = await edge.get(path, await society.key("payouts:read", owner=other.id))
        assert (answer.status, answer.code) == (404, "organization_not_found")
        assert (await edge.get(path)).status == 401
    [row] = await society.stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", other.id)
    key = await society.key("payouts:read", owner=other.id)
    answer = await edge.get(f"/v1/organizations/{row['slug']}/payouts/{payout['id']}", key)
    assert (answer.status, answer.code) == (404, "payout_not_found")
