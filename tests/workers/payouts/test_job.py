"""Payouts that Amply makes itself, against the sandbox process and PostgreSQL."""

from typing import Any

import pytest

from tests.workers.payouts.scenes import Own, entries, lines
from workers.runtime.worker import Refused, Transient


async def test_the_whole_balance_is_paid_out_once_a_day(own: Own) -> None:
    await own.own()
    gift = await own.gift(2500)
    for _ in range(3):
        await own.round()
    assert await own.made() == [gift["net"]]
    payout = await own.newest()
    assert (await own.row(payout))["status"] == "pending"
    await own.becomes(payout, "paid")
    [entry] = entries(await own.event("payout.paid", payout))
    assert lines(entry)["Assets:Bank", own.fund] == gift["net"]
    again = await own.gift(1000)
    await own.round()
    assert await own.made() == [gift["net"]]
    await own.round(days=1)
    assert await own.made() == [gift["net"], again["net"]]
    assert await own.states() == ["ready"]


async def test_stripes_own_schedule_ends_when_amply_pays_and_comes_back_after(own: Own) -> None:
    await own.own()

    async def interval() -> str:
        body = await own.sandbox.ask("GET", f"/v1/accounts/{own.account}")
        return str(body["settings"]["payouts"]["schedule"]["interval"])

    await own.round()
    assert await interval() == "manual"
    await own.change("edge.payout_settings", paid_by="stripe")
    await own.round()
    assert await interval() == "daily"


async def test_less_than_the_minimum_waits_for_a_later_day(own: Own) -> None:
    await own.own(minimum_minor=3000)
    first = await own.gift(2500)
    for day in (0, 0, 1):
        await own.round(day)
    assert (await own.made(), await own.states()) == ([], ["minimum_not_reached"])
    second = await own.gift(2500)
    await own.round(2)
    assert await own.made() == [first["net"] + second["net"]]
    assert await own.states() == ["minimum_not_reached", "ready"]


async def test_forints_leave_in_hundreds_and_the_rest_joins_the_next_payout(own: Own) -> None:
    await own.own("HU")
    await own.round()  # It sets the account's schedule.
    before = 0

    async def holds(balance: int) -> None:
        """Let the balance be so much, as movements that are booked."""
        nonlocal before
        amount = before - balance
        path = f"accounts/{own.account}/fees"
        made = await own.sandbox.control(path, amount=amount, currency="huf")
        assert made["net"] == -amount
        await own.book(made, own.fund)
        before = balance

    async def remainder() -> int:
        rows = await own.bench.fetch(
            "SELECT remainder FROM payouts.turns WHERE account = $1", own.account
        )
        return int(rows[0]["remainder"])

    for day, balance in enumerate((45, -300)):
        await holds(balance)
        for _ in range(3):
            await own.round(day)
        assert (await own.made(), await remainder()) == ([], 45 if balance > 0 else 0)
    assert await own.states() == ["minimum_not_reached", "negative_balance"]
    await holds(80045)
    await own.round(2)
    assert (await own.made(), await remainder()) == ([80000], 45)
    before = 45
    await own.event("payout.created", await own.newest())
    await own.becomes(await own.newest(), "paid")
    await own.event("payout.paid", await own.newest())
    await holds(145)
    await own.round(3)
    assert await own.made() == [80000, 100]


@pytest.mark.parametrize(
    ("table", "held", "released", "state"),
    [
        (
            "accounts.accounts",
            {"payouts_enabled": False},
            {"payouts_enabled": True},
            "payouts_disabled",
        ),
        (
            "accounts.accounts",
            {"disabled_reason": "requirements.past_due"},
            {"disabled_reason": None},
            "account_restricted",
        ),
        (
            "accounts.accounts",
            {"in_review": ["external_account"]},
            {"in_review": []},
            "verification_pending",
        ),
        ("accounts.accounts", {"authorized": False}, {"authorized": True}, "account_unavailable"),
        ("edge.payout_settings", {"under_review": True}, {"under_review": False}, "under_review"),
    ],
)
async def test_what_holds_payouts_is_one_state_and_ends_by_itself(
    own: Own, table: str, held: dict[str, Any], released: dict[str, Any], state: str
) -> None:
    await own.own()
    gift = await own.gift(2500)
    await own.change(table, **held)
    for day in (0, 0, 1, 2):
        await own.round(day)
    assert (await own.made(), await own.states()) == ([], [state])
    await own.change(table, **released)
    await own.round(2)
    assert (await own.made(), await own.states()) == ([gift["net"]], [state, "ready"])


async def test_a_negative_balance_is_one_state_without_a_call_and_payouts_resume(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own.own()
    gift = await own.gift(2500)
    returned = {**gift, "id": gift["id"] + "_returned", "reporting_category": "charge_failure"}
    await own.book({**returned, "amount": -4000, "fee": 750, "net": -4750}, own.fund)
    asked: list[str] = []
    real = own.payouts.stripe.ask

    async def ask(method: str, path: str, account: str, **more: Any) -> Any:
        asked.append(path)
        return await real(method, path, account, **more)

    await own.round()  # It sets the account's schedule.
    monkeypatch.setattr(type(own.payouts.stripe), "ask", lambda _, *a, **k: ask(*a, **k))
    for day in (0, 1, 2, 3):
        await own.round(day)
    assert (asked, await own.states()) == ([], ["negative_balance"])
    await own.gift(6000)
    await own.round(4)
    assert await own.states() == ["negative_balance", "ready"]
    assert len(await own.made()) == 1


async def test_a_failed_payout_is_tried_once_more_then_waits_for_another_bank_account(
    own: Own,
) -> None:
    await own.own()
    gift = await own.gift(2500)

    async def fails() -> None:
        payout = await own.newest()
        await own.becomes(payout, "failed")
        await own.bank_is_verified()
        await own.event("payout.failed", payout)

    await own.round()
    await fails()
    for day in (0, 0, 1):
        await own.round(day)
    assert await own.made() == [gift["net"]] * 2
    await fails()
    for day in (1, 2, 30):
        await own.round(day)
    assert await own.attempts() == [(1, "failed"), (2, "failed")]
    assert await own.states() == ["ready", "retry_waits", "ready", "payout_failed"]
    await own.change("accounts.accounts", bank_account="ba_2")
    await own.round(31)
    assert await own.made() == [gift["net"]] * 3


@pytest.mark.parametrize("authorized", [True, False])
async def test_what_an_organization_left_on_its_old_account_is_paid_out_too(
    own: Own, *, authorized: bool
) -> None:
    await own.own()
    gift = await own.gift(2500)
    old = own.account
    await own.change("accounts.accounts", stage="retired", authorized=authorized)
    own.account = await own.sandbox.account()
    await own.bench.account(own.organization, own.account, bank_account="ba_2")
    other = await own.gift(1000)
    for _ in range(2):
        await own.round()
    assert await own.made() == [other["net"]]
    own.account = old
    if not authorized:
        assert (await own.made(), await own.states()) == ([], ["ready", "account_unavailable"])
        return
    assert (await own.made(), await own.states()) == ([gift["net"]], ["ready", "ready"])
    payout = await own.newest()
    await own.becomes(payout, "paid")
    [entry] = entries(await own.event("payout.paid", payout))
    assert lines(entry)["Assets:Bank", own.fund] == gift["net"]
    await own.round(days=1)
    assert await own.made() == [gift["net"]]
    assert (await own.states())[2:] == ["nothing_available"]  # Of the new account.


async def test_an_account_that_does_not_answer_stops_no_payout_of_another(own: Own) -> None:
    await own.own()
    gift = await own.gift(2500)
    await own.change("accounts.accounts", stage="retired")
    old = own.account
    own.account = await own.sandbox.account()
    await own.bench.account(own.organization, own.account, bank_account="ba_2")
    await own.gift(1000)
    await own.sandbox.control(f"accounts/{own.account}/deauthorize")
    with pytest.raises(Refused, match="status 403"):
        await own.round()
    own.account = old
    assert await own.made() == [gift["net"]]


async def test_a_lost_answer_makes_one_payout(own: Own) -> None:
    await own.own()
    gift = await own.gift(2500)
    await own.sandbox.control("faults", method="POST", path="/v1/payouts", action="drop", count=1)
    with pytest.raises(Transient):
        await own.round()
    assert await own.attempts() == [(1, "calling")]
    for _ in range(3):
        await own.round()
    assert await own.made() == [gift["net"]]
    assert await own.attempts() == [(1, "created")]


@pytest.mark.parametrize("status", [500, 409, 429])
async def test_an_attempt_that_did_nothing_is_made_again(own: Own, status: int) -> None:
    await own.own()
    gift = await own.gift(2500)
    await own.sandbox.control(
        "faults", method="POST", path="/v1/payouts", action="answer", status=status, count=1
    )
    with pytest.raises(Transient):
        await own.round()
    for _ in range(4):
        await own.round()
    assert len(await own.made()) <= 1
    await own.round(1)
    assert await own.made() == [gift["net"]]


async def test_a_payout_made_before_a_crash_is_found_though_its_key_is_forgotten(
    own: Own,
) -> None:
    await own.own()
    gift = await own.gift(2500)
    await own.sandbox.control("faults", method="POST", path="/v1/payouts", action="drop", count=1)
    with pytest.raises(Transient):
        await own.round()
    await own.gift(1000)
    await own.sandbox.control("clock", advance_s=26 * 3600)
    await own.round(2)
    assert (await own.made())[0] == gift["net"]
    assert (1, "created") in await own.attempts()


async def test_what_stripe_refuses_is_a_state_and_the_next_day_tries_anew(own: Own) -> None:
    await own.own()
    await own.round()  # It sets the account's schedule.
    await own.gift(2500)
    await own.sandbox.control(f"accounts/{own.account}", payouts_enabled=False)
    for _ in range(3):
        await own.round()
    assert (await own.attempts(), await own.states()) == ([(1, "refused")], ["refused"])
    await own.sandbox.control(f"accounts/{own.account}", payouts_enabled=True)
    await own.round(1)
    assert len(await own.made()) == 1
