"""Deposits and what adds up to them, and the settings of payouts, over HTTP."""

import asyncio
import csv
import io
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.identifiers import random_id, type_id
from tests.edge.society import Society
from tests.edge.stand import Answer, Served

pytestmark = pytest.mark.asyncio
CREATED = datetime(2027, 3, 1, tzinfo=UTC)


class Deposits:
    """Payouts of a society, put where the worker puts them."""

    def __init__(self, society: Society) -> None:
        self.society = society
        self.path = f"/v1/organizations/{society.slug}/payouts"

    async def insert(self, table: str, **columns: Any) -> None:
        values = {"organization": self.society.id, "account": "acct_1", **columns}
        marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        names = ", ".join(values)
        await self.society.stand.fetch(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values()
        )

    async def payout(self, name: str, amount: int, **columns: Any) -> str:
        known = {
            "id": name,
            "status": "paid",
            "amount_minor": amount,
            "fee_minor": 0,
            "currency": "EUR",
            "automatic": True,
            "arrival_date": CREATED,
            "created_at": CREATED,
            "balance_transaction": f"txn_{name}",
            "moved_at": CREATED,
            "rule": "itemised",
            "foreign_minor": 0,
            "split_at": CREATED,
        }
        await self.insert("payouts.payouts", **known | columns)
        return name

    async def movement(
        self, name: str, category: str, amount: int, fee: int, fund: str, age_days: int = 0
    ) -> None:
        await self.insert(
            "payments.movements",
            balance_transaction=name,
            category=category,
            source=f"ch_{name}",
            donation=type_id("don", random_id(CREATED)),
            fund=fund,
            currency="EUR",
            amount_minor=amount,
            fee_minor=fee,
            net_minor=amount - fee,
            entry=type_id("ent", random_id(CREATED)),
            occurred_at=CREATED - timedelta(days=age_days),
        )

    async def item(self, payout: str, name: str, category: str, amount: int, fund: str) -> None:
        await self.insert(
            "payouts.items",
            payout=payout,
            balance_transaction=name,
            fund=fund,
            currency="EUR",
            category=category,
            source=f"ch_{name}",
            amount_minor=amount,
        )


@pytest.fixture
async def deposits(society: Society) -> Deposits:
    made = Deposits(society)
    fund = society.funds["EUR"]
    payout = await made.payout(f"po_{society.slug}", 2850, fee_minor=50, foreign_minor=100)
    await made.movement(f"t1{payout}", "charge", 2500, 63, fund, age_days=5)
    await made.movement(f"t2{payout}", "charge", 1000, 40, fund, age_days=4)
    await made.movement(f"t3{payout}", "refund", -500, 0, fund, age_days=3)
    await made.item(payout, f"t1{payout}", "charge", 2437, fund)
    await made.item(payout, f"t2{payout}", "charge", 863, fund)
    await made.item(payout, f"t3{payout}", "refund", -500, fund)
    await made.item(payout, f"t4{payout}", "charge", 100, "")
    return made


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


async def change(edge: Served, society: Society, key: str, **body: Any) -> Answer:
    return await edge.ask(
        "PATCH",
        f"/v1/organizations/{society.slug}/payout-settings",
        json=body,
        headers={"Authorization": f"Bearer {key}"},
    )


async def test_settings_begin_with_stripes_daily_payouts_and_change_in_part(
    society: Society, edge: Served
) -> None:
    key = await society.key("payouts:read", "payouts:write")
    path = f"/v1/organizations/{society.slug}/payout-settings"
    shown = (await edge.get(path, key)).json
    assert (shown["paid_by"], shown["interval"], shown["standing"]) == ("stripe", "daily", [])
    answer = await change(edge, society, key, paid_by="amply", interval="weekly", weekday=5)
    assert answer.status == 200
    await change(edge, society, key, minimum_minor=5000)
    await change(edge, society, key, under_review=True)
    shown = (await edge.get(path, key)).json
    assert shown | {"standing": []} == {
        "object": "payout_settings",
        "paid_by": "amply",
        "interval": "weekly",
        "weekday": 5,
        "month_day": None,
        "minimum_minor": 5000,
        "under_review": True,
        "standing": [],
    }
    answer = await change(edge, society, key, interval="monthly", month_day=31)
    assert (answer.json["weekday"], answer.json["month_day"]) == (None, 31)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"interval": "weekly"}, "weekday"),
        ({"interval": "weekly", "weekday": 8}, "weekday"),
        ({"interval": "monthly", "month_day": 0}, "month_day"),
        ({"month_day": 3}, "month_day"),
        ({"interval": "hourly"}, "interval"),
        ({"minimum_minor": -1}, "minimum_minor"),
        ({"minimum_minor": "5"}, "minimum_minor"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(
    society: Society, edge: Served, body: dict[str, Any], param: str
) -> None:
    answer = await change(edge, society, await society.key("payouts:write"), **body)
    assert (answer.status, answer.code, answer.json["param"]) == (422, "invalid_body", param)


async def test_settings_are_changed_by_keys_for_it_alone(society: Society, edge: Served) -> None:
    answer = await change(edge, society, await society.key("payouts:read"), minimum_minor=1)
    assert (answer.status, answer.code) == (403, "scope_missing")


async def test_where_own_payouts_stand_is_shown(deposits: Deposits, edge: Served) -> None:
    society = deposits.society
    for reason in ("ready", "negative_balance"):
        await deposits.insert(
            "payouts.states", currency="EUR", reason=reason, since=CREATED + timedelta(days=1)
        )
    await deposits.insert("payouts.turns", currency="EUR", done_on=CREATED.date(), remainder=45)
    path = f"/v1/organizations/{society.slug}/payout-settings"
    shown = (await edge.get(path, await society.key("payouts:read"))).json
    assert shown["standing"] == [
        {
            "account": "acct_1",
            "currency": "EUR",
            "state": "negative_balance",
            "since": "2027-03-02T00:00:00.000000Z",
            "done_on": "2027-03-01",
            "remainder": 45,
        }
    ]


async def command(edge: Served, slug: str, key: str, *arguments: str) -> str:
    """What `amply payouts ...` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from deploy.cli import main; main()", "payouts", *arguments),
        env={
            **os.environ,
            "AMPLY_URL": edge.url,
            "AMPLY_API_KEY": key,
            "AMPLY_ORGANIZATION": slug,
            "COLUMNS": "200",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    return printed.decode()


async def test_the_command_shows_deposits_and_changes_settings(
    deposits: Deposits, edge: Served
) -> None:
    slug = deposits.society.slug
    key = await deposits.society.key("payouts:read", "payouts:write")
    listed = await command(edge, slug, key, "list")
    assert f"po_{slug}" in listed and "28.50 EUR" in listed
    shown = await command(edge, slug, key, "show", f"po_{slug}")
    assert "payout_fee" in shown and "-0.50 EUR" in shown and "28.50 EUR to the bank" in shown
    changed = await command(
        edge,
        slug,
        key,
        *("settings", "--paid-by", "amply", "--interval", "monthly"),
        *("--month-day", "31", "--under-review", "--json"),
    )
    assert json.loads(changed)["under_review"] is True
    assert "month_day: 31" in await command(edge, slug, key, "settings")
