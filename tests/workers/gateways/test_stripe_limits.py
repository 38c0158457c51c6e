"""Turns to call Stripe: their order, their number, and when there are none."""

import asyncio
from typing import Any

import pytest

from workers.gateways import stripe_limits
from workers.gateways.pacing import OPEN_S_FIRST
from workers.gateways.stripe_limits import (
    AT_ONCE,
    FAILURES_MAX,
    PATIENT_AT_ONCE,
    Limits,
    StripeLimits,
    Urgency,
    load,
)
from workers.runtime.worker import Away
from workers.settings import SettingError

A, B, C = "acct_a", "acct_b", "acct_c"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, per_s: float = 10_000) -> StripeLimits:
    return StripeLimits(Limits(per_s), clock.now, lambda: 1.0)


async def call(turns: StripeLimits, account: str, outcome: Any) -> None:
    async with turns.turn(account, "urgent") as made:
        made.outcome = outcome


class Calls:
    """Calls that are under way until they are told to end; notes the order of their turns."""

    def __init__(self, turns: StripeLimits) -> None:
        self.turns, self.order, self.over = turns, list[str](), asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, name: str, account: str, urgency: Urgency = "urgent") -> None:
        async def make() -> None:
            async with self.turns.turn(account, urgency) as made:
                self.order.append(name)
                await self.over.wait()
                made.outcome = "answered"

        self.tasks.append(asyncio.create_task(make()))
        for _ in range(3):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self.over.set()
        await asyncio.gather(*self.tasks)


async def test_what_moves_money_goes_before_looks_that_came_earlier(clock: Clock) -> None:
    calls = Calls(limits(clock))
    for number in range(AT_ONCE):
        await calls.start(f"busy {number}", A)
    for number in range(3):
        await calls.start(f"look {number}", A, "patient")
    await calls.start("capture", A)
    assert len(calls.order) == AT_ONCE
    await calls.end()
    assert calls.order[AT_ONCE:] == ["capture", "look 0", "look 1", "look 2"]


async def test_looks_leave_half_of_an_account_to_what_moves_money(clock: Clock) -> None:
    calls = Calls(limits(clock))
    for number in range(AT_ONCE):
        await calls.start(f"look {number}", A, "patient")
    assert len(calls.order) == PATIENT_AT_ONCE
    await calls.start("capture", A)
    assert calls.order[-1] == "capture"
    await calls.end()


async def test_a_full_account_does_not_hold_up_another_one(clock: Clock) -> None:
    calls = Calls(limits(clock))
    for number in range(AT_ONCE + 5):
        await calls.start(f"slow {number}", A)
    await calls.start("other", B)
    assert calls.order[AT_ONCE:] == ["other"]
    await calls.end()


async def test_the_pace_is_kept_and_a_refusal_stops_one_account_only(clock: Clock) -> None:
    turns = limits(clock, per_s=5)
    await call(turns, A, "answered")
    calls = Calls(turns)
    await calls.start("too soon", A)
    assert calls.order == []
    async with turns.turn(B, "urgent") as made:
        made.limited("global-rate")
    await calls.start("refused", B)
    await calls.start("other", C)
    assert calls.order == ["other"]
    clock.now_s += 1
    await calls.end()
    assert set(calls.order) == {"too soon", "refused", "other"}


async def test_a_locked_object_slows_nothing_down(clock: Clock) -> None:
    turns = limits(clock)
    for reason in ("lock_timeout", "resource-specific"):
        async with turns.turn(A, "urgent") as made:
            made.limited(reason)
    await asyncio.wait_for(call(turns, A, "answered"), 5)


async def test_who_waits_too_long_is_sent_away_and_leaves_nothing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(limits(clock))
    for number in range(AT_ONCE):
        await calls.start(f"slow {number}", A)
    monkeypatch.setattr(stripe_limits, "WAIT_S_MAX", 0.01)
    with pytest.raises(Away, match="waiting for their turn"):
        await call(calls.turns, A, "answered")
    await calls.end()
    assert len(calls.order) == AT_ONCE
    await call(calls.turns, A, "answered")


@pytest.mark.parametrize("moment", ["waiting", "granted"])
async def test_a_call_that_is_given_up_frees_its_place(clock: Clock, moment: str) -> None:
    calls = Calls(limits(clock))
    for number in range(AT_ONCE):
        await calls.start(f"slow {number}", A)
    await calls.start("given up", A)
    if moment == "granted":
        calls.over.set()
        await asyncio.sleep(0)  # The others end, and its turn is given; it has not heard yet.
    calls.tasks[-1].cancel()
    calls.over.set()
    await asyncio.gather(*calls.tasks, return_exceptions=True)
    again = Calls(calls.turns)
    for number in range(AT_ONCE):
        await again.start(f"next {number}", A)
    assert len(again.order) == AT_ONCE
    await again.end()


async def test_failures_open_the_account_and_those_who_wait_hear_at_once(clock: Clock) -> None:
    turns, waiting = limits(clock), Calls(limits(clock))
    for _ in range(FAILURES_MAX - 1):
        await call(turns, A, "failed")
    waiting.turns = turns
    holding = [turns.turn(A, "urgent") for _ in range(AT_ONCE)]
    held = [await each.__aenter__() for each in holding]
    await waiting.start("waits", A)
    held[0].outcome = "failed"
    await holding[0].__aexit__(None, None, None)
    with pytest.raises(Away, match="the account"):
        await waiting.tasks[0]
    with pytest.raises(Away, match="the account"):
        await call(turns, A, "answered")
    await call(turns, B, "answered")
    for each in holding[1:]:
        await each.__aexit__(None, None, None)
    clock.now_s += OPEN_S_FIRST
    await call(turns, A, "answered")
    await call(turns, A, "answered")


async def test_all_of_stripe_is_left_alone_when_many_accounts_fail(clock: Clock) -> None:
    turns = limits(clock)
    for number in range(FAILURES_MAX):
        await call(turns, [A, B, C][number % 3], "failed")
    with pytest.raises(Away, match="Stripe failed"):
        await call(turns, "acct_never_seen", "answered")
    clock.now_s += OPEN_S_FIRST
    await call(turns, A, "answered")
    await call(turns, "acct_never_seen", "answered")


async def test_a_lane_is_dropped_only_when_it_is_as_new(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_limits, "_LANES_MAX", 2)
    turns = limits(clock)
    for _ in range(FAILURES_MAX):
        await call(turns, A, "failed")
    await call(turns, B, "answered")
    clock.now_s += 1
    for account in (C, "acct_d", "acct_e"):
        await call(turns, account, "answered")
    with pytest.raises(Away):
        await call(turns, A, "answered")


def test_settings_say_how_much_of_stripe_a_process_takes() -> None:
    assert load({"AMPLY_ENVIRONMENT": "live"}, "payments").per_s == 60
    assert load({"AMPLY_ENVIRONMENT": "test"}, "reconciliation").per_s == 5
    assert load({"AMPLY_STRIPE": "http://127.0.0.1:1"}, "payments").per_s == 6000
    given = {"AMPLY_STRIPE_CALLS_PER_S": "40", "AMPLY_STRIPE_SHARE_PERCENT": "50"}
    assert load(given, "payments") == Limits(20, 15.0)
    assert sum(stripe_limits.SHARES.values()) == 100
    with pytest.raises(SettingError, match="AMPLY_STRIPE_CALLS_PER_S"):
        load({"AMPLY_STRIPE_CALLS_PER_S": "0"}, "payments")
