"""Payouts against the sandbox process and PostgreSQL."""

from typing import Any

import pytest

from contracts.looks import PaymentLookRequested, PayoutLookRequested
from tests.workers.bench import bodies, event, new
from tests.workers.payouts.scenes import Scene, entries, lines
from workers.payouts.worker import WORKER

BANK, STRIPE = "Assets:Bank", "Assets:Stripe"


async def test_an_automatic_payout_is_split_over_funds_as_stripe_itemises_it(scene: Scene) -> None:
    first = await scene.gift(2500)
    second = await scene.gift(1000, scene.other_fund)
    payout = await scene.automatic()
    assert await scene.event("payout.created", payout) == []
    assert (await scene.row(payout))["status"] == "pending"
    await scene.becomes(payout, "paid")
    [entry] = entries(await scene.event("payout.paid", payout))
    assert (entry.kind, entry.subject) == ("payout", payout)
    assert lines(entry) == {
        (BANK, scene.fund): first["net"],
        (STRIPE, scene.fund): -first["net"],
        (BANK, scene.other_fund): second["net"],
        (STRIPE, scene.other_fund): -second["net"],
    }
    assert entry.details is not None
    assert (entry.details["rule"], entry.details["foreign_minor"]) == ("itemised", 0)
    assert await scene.booked_balance() == await scene.balance() == 0


async def test_any_number_of_events_in_any_order_books_a_payout_once(scene: Scene) -> None:
    await scene.gift(2500)
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    told = [
        event(scene.organization, scene.account, name, payout)
        for name in ("payout.reconciliation_completed", "payout.paid", "payout.created")
    ]
    assert len(await scene.settle(*told, *told)) == 1
    assert await scene.look(payout) == []
    assert await scene.settle(*reversed(told)) == []


async def test_a_payout_waits_for_what_is_not_booked_yet_and_asks_for_it(scene: Scene) -> None:
    late = await scene.gift(2500, booked=False)
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    [look] = await scene.event("payout.paid", payout)
    assert look.body == PaymentLookRequested(
        account=scene.account, object=late["source"], reason="unbooked_movement"
    )
    row = await scene.row(payout)
    assert (row["waiting_for"], row["rule"]) == (1, None) and row["waiting_since"] is not None
    await scene.book(late, scene.fund)
    [entry] = entries(await scene.look(payout))
    assert lines(entry)[BANK, scene.fund] == late["net"]
    row = await scene.row(payout)
    assert (row["waiting_for"], row["waiting_since"]) == (0, None)


async def test_money_of_another_shop_is_kept_apart(scene: Scene) -> None:
    ours = await scene.gift(2500)
    theirs = await scene.charge(1000)
    mistaken = await scene.charge(
        500,
        **{"metadata[donation]": "don_01jd8q6m1wf4ts5vx8qg7a2b3c", "metadata[organization]": "x"},
    )
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    [entry] = entries(await scene.event("payout.paid", payout))
    assert lines(entry) == {(BANK, scene.fund): ours["net"], (STRIPE, scene.fund): -ours["net"]}
    assert entry.details is not None
    assert entry.details["foreign_minor"] == theirs["net"] + mistaken["net"]
    rows = await scene.bench.fetch(
        "SELECT balance_transaction, reason FROM payouts.foreign_movements WHERE account = $1"
        " AND category = 'charge'",
        scene.account,
    )
    assert {row["balance_transaction"]: row["reason"] for row in rows} == {
        theirs["id"]: "foreign",
        mistaken["id"]: "account_mismatch",
    }
    assert await scene.booked_balance() == await scene.balance() == 0


async def test_a_debit_that_the_bank_refused_holds_no_payout_up(scene: Scene) -> None:
    ours = await scene.gift(2500)
    gift = {"metadata[donation]": new("don"), "metadata[organization]": scene.organization}
    debit = await scene.charge(1000, payment_method="pm_failed_de", **gift)
    await scene.sandbox.control("clock", advance_s=120)
    await scene.sandbox.control(f"accounts/{scene.account}/settle")
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    [entry] = entries(await scene.event("payout.paid", payout))
    assert lines(entry) == {(BANK, scene.fund): ours["net"], (STRIPE, scene.fund): -ours["net"]}
    rows = await scene.bench.fetch(
        "SELECT category, reason, net_minor FROM payouts.foreign_movements WHERE account = $1"
        " ORDER BY category",
        scene.account,
    )
    assert [tuple(row.values()) for row in rows] == [
        ("charge", "unpaid_debit", debit["net"]),
        ("charge_failure", "unpaid_debit", -debit["net"]),
    ]
    assert await scene.booked_balance() == await scene.balance() == 0


async def test_a_payout_of_others_money_alone_moves_nothing_of_ours(scene: Scene) -> None:
    await scene.charge(1000)
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    assert await scene.event("payout.paid", payout) == []
    assert await scene.booked_balance() == await scene.balance() == 0


async def test_a_manual_payout_takes_the_oldest_money_first(scene: Scene) -> None:
    first = await scene.gift(2500)
    second = await scene.gift(1000, scene.other_fund)
    payout = await scene.manual(first["net"] + 100)
    await scene.becomes(payout, "paid")
    [entry] = entries(await scene.event("payout.paid", payout))
    shares = {fund: amount for (account, fund), amount in lines(entry).items() if account == BANK}
    # Both were made within one second: their ids tell which is the older.
    by_age = sorted([(first, scene.fund), (second, scene.other_fund)], key=lambda x: x[0]["id"])
    oldest, newest = by_age
    taken = min(oldest[0]["net"], first["net"] + 100)
    expected = {oldest[1]: taken, newest[1]: first["net"] + 100 - taken}
    assert shares == {fund: amount for fund, amount in expected.items() if amount}
    assert entry.details is not None and entry.details["rule"] == "first_in_first_out"
    assert await scene.booked_balance() == await scene.balance()


async def test_manual_payouts_carry_no_movement_twice_whichever_is_seen_first(
    scene: Scene,
) -> None:
    whole = await scene.gift(2500)
    first, second = await scene.manual(1000), await scene.manual(whole["net"] - 1000)
    for payout in (first, second):
        await scene.becomes(payout, "paid")
    [look] = await scene.event("payout.paid", second)
    assert look.body == PayoutLookRequested(
        account=scene.account, object=first, reason="unbooked_movement"
    )
    [one] = entries(await scene.settle(look))
    [two] = entries(await scene.look(second))
    assert (one.subject, lines(one)[BANK, scene.fund]) == (first, 1000)
    assert (two.subject, lines(two)[BANK, scene.fund]) == (second, whole["net"] - 1000)


async def test_manual_payouts_follow_the_age_of_the_money_over_days_and_failures(
    scene: Scene,
) -> None:
    async def next_day() -> None:
        await scene.sandbox.control("clock", advance_s=86_400)

    async def paid(amount: int) -> tuple[str, dict[str, int]]:
        payout = await scene.manual(amount)
        await scene.becomes(payout, "paid")
        [entry] = entries(await scene.event("payout.paid", payout))
        shares = {fund: part for (account, fund), part in lines(entry).items() if account == BANK}
        await next_day()
        return payout, shares

    await scene.pays_by_hand()
    oldest = (await scene.gift(2500))["net"]
    await next_day()
    newer = (await scene.gift(1000, scene.other_fund))["net"]
    await next_day()
    first, shares = await paid(oldest)
    assert shares == {scene.fund: oldest}
    newest = (await scene.gift(700))["net"]
    await next_day()
    assert (await paid(newer - 50))[1] == {scene.other_fund: newer - 50}
    await scene.becomes(first, "failed")
    await scene.bank_is_verified()
    await scene.event("payout.failed", first)
    await next_day()
    assert (await paid(oldest + 10))[1] == {scene.fund: oldest, scene.other_fund: 10}
    assert (await paid(40 + newest))[1] == {scene.fund: newest, scene.other_fund: 40}
    assert await scene.booked_balance() == await scene.balance() == 0


@pytest.mark.parametrize("is_automatic", [True, False])
async def test_a_payout_that_fails_after_it_was_paid_brings_the_money_back(
    scene: Scene, is_automatic: bool
) -> None:
    gift = await scene.gift(2500)
    payout = await (scene.automatic() if is_automatic else scene.manual(gift["net"]))
    await scene.becomes(payout, "paid")
    [paid] = await scene.event("payout.paid", payout)
    await scene.becomes(payout, "failed")
    await scene.bank_is_verified()
    [failed] = await scene.event("payout.failed", payout)
    entry = failed.body
    assert entry.kind == "payout_failed"
    assert lines(entry) == {(BANK, scene.fund): -gift["net"], (STRIPE, scene.fund): gift["net"]}
    assert entry.details["failure_code"] == "account_closed"
    assert await scene.booked_balance() == await scene.balance() == gift["net"]
    again = await (scene.automatic() if is_automatic else scene.manual(gift["net"]))
    await scene.becomes(again, "paid")
    [entry] = entries(await scene.event("payout.paid", again))
    assert lines(entry)[BANK, scene.fund] == gift["net"]
    assert await scene.booked_balance() == await scene.balance() == 0
    assert paid.body.kind == "payout"


async def test_a_failure_is_booked_with_its_payout_though_paid_was_never_seen(
    scene: Scene,
) -> None:
    gift = await scene.gift(2500)
    payout = await scene.manual(gift["net"])
    await scene.becomes(payout, "failed")
    paid, failed = await scene.event("payout.failed", payout)
    assert (paid.body.kind, failed.body.kind) == ("payout", "payout_failed")
    assert failed.body.ref.removeprefix("ent_") and await scene.event("payout.paid", payout) == []


async def test_a_canceled_payout_is_booked_both_ways(scene: Scene) -> None:
    gift = await scene.gift(2500)
    payout = await scene.manual(gift["net"])
    await scene.sandbox.ask("POST", f"/v1/payouts/{payout}/cancel", account=scene.account)
    kinds = [entry.kind for entry in entries(await scene.event("payout.canceled", payout))]
    assert kinds == ["payout", "payout_failed"]
    assert await scene.booked_balance() == await scene.balance() == gift["net"]


async def test_an_old_status_does_not_undo_a_newer_one(scene: Scene) -> None:
    gift = await scene.gift(2500)
    payout = await scene.manual(gift["net"])
    await scene.becomes(payout, "paid")
    await scene.event("payout.paid", payout)
    await scene.bench.fetch("UPDATE payouts.payouts SET status = 'failed' WHERE id = $1", payout)
    await scene.event("payout.updated", payout)
    assert (await scene.row(payout))["status"] == "failed"


async def test_what_is_ignored_is_kept_with_its_reason(scene: Scene) -> None:
    events = [
        event(scene.organization, "acct_other", "payout.paid", "po_1"),
        event(scene.organization, scene.account, "payout.paid", "po_missing"),
        event(scene.organization, scene.account, "payment_intent.succeeded", "pi_1"),
    ]
    assert await scene.settle(*events) == []
    rows = await scene.bench.fetch(
        "SELECT event, reason FROM payouts.ignored_events WHERE organization = $1",
        scene.organization,
    )
    assert {row["event"]: row["reason"] for row in rows} == {
        events[0].body.event: "foreign",
        events[1].body.event: "not_found",
    }
    assert await scene.bench.set_aside(WORKER) == []


async def test_a_fee_of_the_account_is_booked_once_by_a_look_or_with_its_payout(
    scene: Scene,
) -> None:
    gift = await scene.gift(2500)
    for amount in (300, 200):
        await scene.sandbox.control(f"accounts/{scene.account}/fees", amount=amount)
    listed = await scene.sandbox.ask("GET", "/v1/balance_transactions", account=scene.account)
    fee = next(line for line in listed["data"] if line["net"] == -300)
    [entry] = entries(await scene.look(fee["id"]))
    assert entry.kind == "fee"
    assert lines(entry) == {("Expenses:ProcessorFees", scene.fund): 300, (STRIPE, scene.fund): -300}
    assert await scene.look(fee["id"]) == []
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    booked = entries(await scene.event("payout.paid", payout))
    assert [(entry.kind, lines(entry)[STRIPE, scene.fund]) for entry in booked] == [
        ("fee", -200),
        ("payout", -(gift["net"] - 500)),
    ]
    assert await scene.booked_balance() == await scene.balance() == 0


async def test_a_payout_of_an_account_that_was_left_is_booked(scene: Scene) -> None:
    await scene.gift(2500)
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    await scene.bench.fetch(
        "UPDATE accounts.accounts SET stage = 'retired' WHERE account = $1", scene.account
    )
    [entry] = entries(await scene.event("payout.paid", payout))
    assert entry.subject == payout


async def test_a_look_at_a_gifts_line_is_left_to_payments(scene: Scene) -> None:
    gift: Any = await scene.gift(2500)
    assert bodies(await scene.look(gift["id"]), PayoutLookRequested) == []
