"""Buckets and breakers, by properties, with a clock that only the tests move."""

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateways.pacing import (
    OPEN_S_FIRST,
    OPEN_S_MAX,
    RECOVERY_S,
    SLOWEST,
    Breaker,
    Bucket,
)

LIMITS = st.one_of(st.integers(1, 12), st.integers(1, 200), st.floats(0.05, 200))
#: Seconds before each call: bursts with pauses between them.
PAUSES = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), min_size=1, max_size=6).map(
    lambda bursts: [s for pause_s, size in bursts for s in (pause_s, *[0.0] * (size - 1))]
)


def taken(bucket: Bucket, pauses: list[float], refuse: Collection[int] = ()) -> list[float]:
    """When a caller that comes after these pauses, and waits as it is told, gets its tokens."""
    now, times = 1000.0, []
    for number, pause_s in enumerate(pauses):
        now += pause_s
        while (delay_s := bucket.delay_s(now)) > 0:
            now += delay_s
        bucket.take()
        times.append(now)
        if number in refuse:
            bucket.refuse(now, now + 0.001, 1.0)
    return times


@given(LIMITS, PAUSES, st.sets(st.integers(0, 239), max_size=5))
def test_no_second_has_more_calls_than_the_limit(
    limit: float, pauses: list[float], refuse: set[int]
) -> None:
    times = taken(Bucket(limit, 1000.0), pauses, refuse)
    for first in range(len(times)):
        within = [time for time in times[first:] if time < times[first] + 0.999]
        assert len(within) <= max(1, limit)


@given(LIMITS)
def test_who_waits_as_told_gets_close_to_the_limit(limit: float) -> None:
    times = taken(Bucket(limit, 1000.0), [0.0] * 400)
    assert 400 / (times[-1] - times[0]) >= limit / 2


@given(LIMITS, st.lists(st.tuples(st.floats(0, 5), st.floats(0.5, 1)), min_size=1, max_size=30))
def test_refusals_slow_a_bucket_down_and_it_recovers_in_full(
    limit: float, refusals: list[tuple[float, float]]
) -> None:
    bucket, now = Bucket(limit, 0.0), 0.0
    for pause_s, spread in refusals:
        now += pause_s
        before = bucket.rate(now)
        bucket.refuse(now, now, spread)
        after = bucket.rate(now)
        assert after <= before
        assert after >= bucket.full_rate * SLOWEST * 0.999
        assert bucket.delay_s(now) > 0
    assert bucket.rate(now + RECOVERY_S) == bucket.full_rate


def test_calls_that_were_on_their_way_together_are_one_refusal() -> None:
    bucket = Bucket(100, 0.0)
    bucket.refuse(sent_at=1.0, now=2.0, spread=1.0)
    rate = bucket.rate(2.0)
    for sent_at in (0.5, 1.0, 1.9, 2.0):
        bucket.refuse(sent_at, 2.0, 1.0)
    assert bucket.rate(2.0) == rate == bucket.full_rate / 2
    bucket.refuse(sent_at=2.5, now=2.6, spread=1.0)
    assert bucket.rate(2.6) < rate * 0.6


def test_pauses_after_refusals_in_a_row_double_and_begin_anew_after_a_rest() -> None:
    bucket, now, pauses = Bucket(100, 0.0), 0.0, []
    for _ in range(4):
        bucket.refuse(now, now, 1.0)
        pauses.append(bucket.delay_s(now))
        now += pauses[-1] + 0.1
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0])
    now += RECOVERY_S
    bucket.refuse(now, now, 0.5)
    assert bucket.delay_s(now) == pytest.approx(0.25)


def test_only_a_bucket_that_is_as_new_is_rested() -> None:
    bucket = Bucket(10, 0.0)
    assert bucket.is_rested(0.0)
    bucket.take()
    assert not bucket.is_rested(0.0)
    assert bucket.is_rested(1.0)
    bucket.refuse(1.0, 1.0, 1.0)
    assert not bucket.is_rested(20.0)
    assert bucket.is_rested(1.0 + RECOVERY_S)


def fail(breaker: Breaker, times: int, now: float, subject: str = "acct_a") -> None:
    for _ in range(times):
        breaker.begin(call := object())
        breaker.end(call, "failed", subject, now)


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3)
    fail(breaker, 2, 0.0)
    breaker.end(object(), "answered", "acct_a", 0.0)
    fail(breaker, 2, 0.0)
    breaker.end(object(), "unknown", "acct_a", 0.0)
    assert breaker.admits(0.0) and not breaker.is_open
    fail(breaker, 1, 0.0)
    assert breaker.is_open and not breaker.admits(OPEN_S_FIRST - 0.1)


def test_one_account_that_fails_alone_does_not_open_the_breaker_of_all() -> None:
    breaker = Breaker(3, subjects_least=2)
    fail(breaker, 50, 0.0, "acct_a")
    assert not breaker.is_open
    fail(breaker, 1, 0.0, "acct_b")
    assert breaker.is_open


def test_one_call_tries_and_its_success_closes_the_breaker() -> None:
    breaker = Breaker(1)
    fail(breaker, 1, 0.0)
    probe = object()
    assert breaker.admits(OPEN_S_FIRST)
    breaker.begin(probe)
    assert not breaker.admits(OPEN_S_FIRST), "one tries, the others wait for it"
    breaker.end(object(), "answered", "acct_a", OPEN_S_FIRST)
    assert breaker.is_open, "an answer to a call from before says nothing about now"
    breaker.end(probe, "answered", "acct_a", OPEN_S_FIRST)
    assert breaker.admits(OPEN_S_FIRST) and not breaker.has_failed


def test_a_try_that_fails_keeps_it_open_for_twice_as_long() -> None:
    breaker, now, waits = Breaker(1), 0.0, []
    fail(breaker, 1, now)
    for _ in range(6):
        began = now
        while not breaker.admits(now):
            now += 0.5
        waits.append(now - began)
        fail(breaker, 1, now)
    assert waits == [5.0, 10.0, 20.0, 40.0, OPEN_S_MAX, OPEN_S_MAX]


def test_a_try_without_an_outcome_lets_another_one_try() -> None:
    breaker, probe = Breaker(1), object()
    fail(breaker, 1, 0.0)
    breaker.begin(probe)
    breaker.end(probe, "unknown", "acct_a", OPEN_S_FIRST)
    assert breaker.is_open and breaker.admits(OPEN_S_FIRST)


OUTCOMES = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from(["answered", "failed", "unknown"])), max_size=60
)


@given(OUTCOMES)
def test_whatever_happened_a_breaker_admits_a_call_within_its_longest_wait(
    history: list[tuple[float, Any]],
) -> None:
    breaker, now = Breaker(3), 0.0
    for pause_s, outcome in history:
        now += pause_s
        if breaker.admits(now):
            breaker.begin(call := object())
            breaker.end(call, outcome, "acct_a", now)
    assert breaker.admits(now + OPEN_S_MAX)
