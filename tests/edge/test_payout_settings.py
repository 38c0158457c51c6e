"""Who pays an organization out and when, over HTTP; the command that shows it and deposits."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

import pytest

from tests.edge.deposits import CREATED, Deposits
from tests.edge.society import Society
from tests.edge.stand import Answer, Served

pytestmark = pytest.mark.asyncio


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
