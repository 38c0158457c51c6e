"""Undelivered events and stuck payments at the sandbox, swept as reconciliation's role."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.workers.bench import new
from tests.workers.reconciliation.conftest import Scene
from workers.reconciliation import sweeping
from workers.reconciliation.sweeping import look_at_stuck, sweep

ATTEMPT = """
    INSERT INTO payments.attempts (organization, donation, state, account, payment_intent, request,
        created_at)
    VALUES ($1, $2, $3::text::payments.state, $4, $5, '', now() - $6::interval)
"""


async def lose(scene: Scene, *event_types: str) -> None:
    """An endpoint that nobody listens at, whose deliveries of these types are lost for good."""
    await scene.sandbox.ask(
        "POST",
        "/v1/webhook_endpoints",
        data={"url": "http://127.0.0.1:9/", "enabled_events[]": "*", "connect": "true"},
    )
    for event_type in event_types:
        await scene.sandbox.control(
            "faults", method="WEBHOOK", path=event_type, action="drop", count=None
        )


async def swept(scene: Scene) -> Counter[str]:
    rows = await scene.bench.fetch(
        "SELECT event_type, disposition FROM reconciliation.swept_events WHERE account = $1",
        scene.account,
    )
    return Counter(f"{row['event_type']} {row['disposition']}" for row in rows)


def asked(messages: list[Any]) -> set[tuple[str, str, str, str]]:
    return {(one.type, one.organization, one.body.object, one.body.reason) for one in messages}


async def test_a_lost_webhook_leads_to_one_look_at_its_object(scene: Scene) -> None:
    await lose(scene, "payment_intent", "charge", "payout")
    charge = await scene.charge()
    payout = await scene.payout(1000)
    news = await sweep(scene.resources, scene.known)
    found = await swept(scene)
    assert news == sum(found.values())
    assert found["charge.succeeded payments_look"] == 1
    assert found["payout.created payouts_look"] == 1
    payments, payouts = "payments.look_requested.v1", "payouts.look_requested.v1"
    reason, organization = "undelivered_event", scene.organization
    looks = await scene.bench.sent()
    assert asked(looks) == {
        (payments, organization, charge["id"], reason),
        (payments, organization, charge["payment_intent"], reason),
        (payouts, organization, payout["id"], reason),
    }
    assert len(looks) == 3, "several events about one object are one look"
    assert await sweep(scene.resources, scene.known) == 0
    assert await scene.bench.sent() == []
    await scene.charge()
    assert await sweep(scene.resources, scene.known) > 0, "the cursor passes over no later event"


async def test_a_crash_between_two_parts_leaves_the_rest_to_the_next_sweep(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(scene, "payment_intent", "charge")
    charges = set()
    for _ in range(3):
        charges.add((await scene.charge())["id"])
        await scene.sandbox.control("clock", advance_s=60)
    monkeypatch.setattr(sweeping, "EVENTS_AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "OVERLAP", timedelta(0))
    keep, kept = sweeping._keep, 0

    async def crash_later(*arguments: Any) -> int:
        nonlocal kept
        kept += 1
        if kept == 2:
            raise ConnectionError("the database is away")
        return await keep(*arguments)

    monkeypatch.setattr(sweeping, "_keep", crash_later)
    with pytest.raises(ConnectionError):
        await sweep(scene.resources, scene.known)
    await sweep(scene.resources, scene.known)
    looked = {getattr(message.body, "object", None) for message in await scene.bench.sent()}
    assert charges <= looked


async def test_lost_events_about_the_account_are_looked_at_by_accounts(scene: Scene) -> None:
    await lose(scene, "account")
    for enabled in (False, True):
        await scene.sandbox.control(f"accounts/{scene.account}", payouts_enabled=enabled)
    assert await sweep(scene.resources, scene.known) >= 2
    found = await swept(scene)
    assert found["account.updated accounts_look"] >= 2
    assert {told.split()[1] for told in found} == {"accounts_look"}
    [look] = await scene.bench.sent()
    assert (look.type, look.organization) == ("accounts.requested.v1", scene.organization)
    assert (look.body.action, look.body.account) == ("look", scene.account)


async def test_events_of_the_platform_itself_are_kept_too(scene: Scene) -> None:
    await sweep(scene.resources, None)
    assert await scene.bench.sent() == []


async def test_stuck_payments_are_looked_at_later_and_later(scene: Scene) -> None:
    old, new_ones = timedelta(hours=1), timedelta(minutes=1)
    stuck, fresh, done = "pi_" + new("don"), "pi_" + new("don"), "pi_" + new("don")
    for state, intent, age in (
        ("processing", stuck, old),
        ("processing", fresh, new_ones),
        ("failed", done, old),
    ):
        await scene.bench.fetch(
            *(ATTEMPT, scene.organization, new("don"), state, scene.account, intent, age)
        )
    assert await look_at_stuck(scene.resources, [scene.known]) == 1
    assert asked(await scene.bench.sent()) == {
        ("payments.look_requested.v1", scene.organization, stuck, "stuck")
    }
    assert await look_at_stuck(scene.resources, [scene.known]) == 0, "not due yet"
    await scene.bench.fetch("UPDATE reconciliation.stuck SET look_after = '-infinity'")
    assert await look_at_stuck(scene.resources, [scene.known]) == 1
    [row] = await scene.bench.fetch("SELECT * FROM reconciliation.stuck")
    assert (row["object"], row["kind"], row["looks"]) == (stuck, "payment_processing", 2)
    await scene.bench.fetch(
        "UPDATE payments.attempts SET state = 'failed' WHERE payment_intent = $1", stuck
    )
    await look_at_stuck(scene.resources, [scene.known])
    assert await scene.bench.fetch("SELECT * FROM reconciliation.stuck") == []


async def test_a_call_without_an_answer_is_found_by_its_gift(scene: Scene) -> None:
    donation, never_called = new("don"), new("don")
    charge = await scene.charge(donation=donation, organization=scene.organization)
    for gift in (donation, never_called):
        values = (scene.organization, gift, "calling", scene.account, None, timedelta(hours=1))
        await scene.bench.fetch(ATTEMPT, *values)
    await scene.bench.sent()
    assert await look_at_stuck(scene.resources, [scene.known]) == 1
    assert asked(await scene.bench.sent()) == {
        (
            "payments.look_requested.v1",
            scene.organization,
            charge["payment_intent"],
            "unknown_outcome",
        )
    }


REFUND = """
    INSERT INTO payments.refunds (organization, id, donation, stripe_refund, status, amount_minor,
        currency, called_at, created_at)
    VALUES ($1, $2, $3, $4, $5, 700, 'EUR', now(), now() - interval '1 hour')
"""
DISPUTE = """
    INSERT INTO payments.disputes
    SELECT r.* FROM jsonb_populate_record(NULL::payments.disputes, $1::text::jsonb) AS r
"""
PAYOUT = """
    INSERT INTO payouts.payouts (id, organization, account, status, amount_minor, fee_minor,
        currency, automatic, arrival_date, created_at, balance_transaction, moved_at)
    VALUES ($1, $2, $3, $4, 900, 0, 'EUR', false, now() - $5::interval, now(), $1, now())
"""


async def test_refunds_disputes_and_payouts_without_an_end_are_looked_at(scene: Scene) -> None:
    organization, account, old = scene.organization, scene.account, timedelta(hours=1)
    names = {name: f"{name}_{new('don')}" for name in ("re", "dp", "po")}
    gift = new("don")
    intent = "pi_" + gift
    await scene.bench.fetch(ATTEMPT, organization, gift, "failed", account, intent, old)
    for refund, status in ((names["re"], "pending"), ("re_done", "succeeded"), (None, "requested")):
        await scene.bench.fetch(REFUND, organization, new("rfd"), gift, refund, status)
    for dispute, status in ((names["dp"], "under_review"), ("dp_done", "lost")):
        values = {
            "organization": organization,
            "id": new("dsp"),
            "donation": gift,
            "charge": "ch_1",
            "stripe_dispute": dispute,
            "status": status,
            "reason": "general",
            "entries": [],
            **dict.fromkeys(("amount_minor", "withdrawn_minor", "movements", "adjustments"), 0),
            **dict.fromkeys(("written_off_minor", "written_off_presented", "version"), 0),
            "currency": "EUR",
            "blocks_refunds": True,
            "is_return": False,
            **dict.fromkeys(("seen_at", "created_at"), "2020-01-01T00:00:00Z"),
        }
        await scene.bench.fetch(DISPUTE, json.dumps(values))
    for payout, status, age in (
        (names["po"], "in_transit", timedelta(days=2)),
        ("po_today", "in_transit", timedelta(hours=3)),
        ("po_done", "paid", timedelta(days=2)),
    ):
        await scene.bench.fetch(PAYOUT, payout, organization, account, status, age)
    assert await look_at_stuck(scene.resources, [scene.known]) == 3
    payments, payouts = "payments.look_requested.v1", "payouts.look_requested.v1"
    assert asked(await scene.bench.sent()) == {
        (payments, organization, names["re"], "stuck"),
        (payments, organization, names["dp"], "stuck"),
        (payouts, organization, names["po"], "stuck"),
    }
    kinds = await scene.bench.fetch(
        "SELECT kind FROM reconciliation.stuck WHERE organization = $1 ORDER BY kind", organization
    )
    assert [row["kind"] for row in kinds] == [
        *("dispute_under_review", "payout_in_transit", "refund_pending", "refund_requested"),
    ]
