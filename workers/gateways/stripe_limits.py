"""How many calls Stripe gets from this process, in which order, and when it gets none.

Each account has a lane: a token bucket, a bounded number of calls at once, two queues and a circuit
breaker; calls on the platform itself are a lane too. What moves or confirms money goes before looks
that nobody waits for. Sources: Stripe, "Rate limits" (429, `Stripe-Rate-Limited-Reason`).
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

from workers.gateways.pacing import Breaker, Bucket, Outcome
from workers.runtime.worker import Away
from workers.settings import integer, seconds

#: Calls a second on one account, and on the platform. Stripe, "Rate limits".
PER_S: Final = {"live": 100, "test": 25}
#: A stand-in has no limit of its own, unless one is set.
PER_S_ELSEWHERE: Final = 10_000
#: Which part of that a process takes, in percent: they know nothing of one another.
SHARES: Final = {"payments": 60, "payouts": 15, "reconciliation": 20, "accounts": 5}

#: A lane takes a quarter of the connections, so that one slow account leaves them to others; calls
#: that can wait take half of a lane.
AT_ONCE: Final = 16
PATIENT_AT_ONCE: Final = 8
WAIT_S_MAX: Final = 5.0

#: So many failures in a row open an account's breaker; on so many accounts, that of all Stripe.
FAILURES_MAX: Final = 10
ACCOUNTS_LEAST: Final = 3
_LANES_MAX: Final = 4096

#: Of these reasons for a 429 going slower is no cure: one object is busy.
_ABOUT_OBJECT: Final = frozenset({"lock_timeout", "resource-specific"})
_REASONS: Final = _ABOUT_OBJECT | {
    "endpoint-concurrency",
    "endpoint-rate",
    "global-concurrency",
    "global-rate",
}

_waits = Histogram(
    "amply_stripe_wait_seconds",
    "How long calls waited for their turn",
    ["urgency"],
    buckets=(0.001, 0.01, 0.05, 0.2, 0.5, 1, 2, 5),
)
_rate_limited = Counter(
    "amply_stripe_rate_limited_total", "Calls that Stripe answered 429", ["reason"]
)
_not_made = Counter(
    "amply_stripe_calls_not_made_total", "Calls that were put off before they were made", ["reason"]
)
_open = Gauge("amply_stripe_breakers_open", "Open breakers: of all Stripe, of accounts", ["scope"])
_log = structlog.get_logger("stripe")

Urgency = Literal["urgent", "patient"]


@dataclass(frozen=True, slots=True)
class Limits:
    """`per_s` calls on one account; a call is given up after `timeout_s` seconds."""

    per_s: float = PER_S_ELSEWHERE
    timeout_s: float = 15.0


def load(variables: Mapping[str, str], process: str) -> Limits:
    """The limits of a process by its `AMPLY_*` variables; SettingError when one is wrong."""
    mode = "live" if variables.get("AMPLY_ENVIRONMENT") == "live" else "test"
    usual = PER_S_ELSEWHERE if variables.get("AMPLY_STRIPE") else PER_S[mode]
    per_s = integer(variables, "AMPLY_STRIPE_CALLS_PER_S", usual, least=1, most=PER_S_ELSEWHERE)
    share = integer(
        variables, "AMPLY_STRIPE_SHARE_PERCENT", SHARES.get(process, 100), least=1, most=100
    )
    return Limits(per_s * share / 100, seconds(variables, "AMPLY_STRIPE_TIMEOUT_S", 15.0))


class Call:
    """One call on a lane. Whoever makes it says how it ended; else it ended `unknown`."""

    __slots__ = ("_lane", "outcome", "sent_at", "urgency")

    def __init__(self, lane: "_Lane", urgency: Urgency) -> None:
        self._lane = lane
        self.urgency: Urgency = urgency
        self.outcome: Outcome = "unknown"
        self.sent_at = 0.0

    def limited(self, reason: str | None) -> None:
        """Stripe answered 429, for this reason."""
        self.outcome = "answered"
        _rate_limited.labels(reason if reason in _REASONS else "other").inc()
        if reason not in _ABOUT_OBJECT:
            self._lane.slow_down(self.sent_at)


class StripeLimits:
    """Turns to call. `now` is a clock that never goes back; `spread` gives 0.5 to 1 at random."""

    def __init__(
        self,
        limits: Limits,
        now: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311 - no secret
    ) -> None:
        self.limits, self.now, self.spread = limits, now, spread
        self.breaker = Breaker(FAILURES_MAX, ACCOUNTS_LEAST)
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def turn(self, account: str | None, urgency: Urgency) -> AsyncIterator[Call]:
        """A call's turn on an account (None: the platform); `Away` when there is none for now."""
        lane = self._lane(account or "platform")
        call = Call(lane, urgency)
        if not lane.starts_at_once(call):
            await lane.wait(call)
        try:
            yield call
        finally:
            lane.end(call)

    def _lane(self, name: str) -> "_Lane":
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) >= _LANES_MAX:
                kept = {name: lane for name, lane in self._lanes.items() if not lane.is_idle()}
                self._lanes = kept
            lane = self._lanes[name] = _Lane(name, self)
        return lane


class _Lane:
    """The calls on one account."""

    def __init__(self, name: str, stripe: StripeLimits) -> None:
        self._name, self._stripe, self._now = name, stripe, stripe.now
        self._bucket = Bucket(stripe.limits.per_s, self._now())
        self._breaker = Breaker(FAILURES_MAX)
        self._under_way = {"urgent": 0, "patient": 0}
        self._waiting: dict[Urgency, deque[tuple[Call, asyncio.Future[None]]]] = {
            "urgent": deque(),
            "patient": deque(),
        }
        self._timer: asyncio.TimerHandle | None = None

    def starts_at_once(self, call: Call) -> bool:
        """Whether the call's turn is now; `Away` while a breaker is open."""
        if not self._is_admitted():
            raise self._away()
        if any(self._waiting.values()) or not self._has_room(call.urgency):
            return False
        if self._bucket.delay_s(self._now()) > 0:
            return False
        self._begin(call)
        _waits.labels(call.urgency).observe(0)
        return True

    async def wait(self, call: Call) -> None:
        """Until it is the call's turn; `Away` when that takes too long, or a breaker opens."""
        began = self._now()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (call, turn)
        self._waiting[call.urgency].append(entry)
        self._serve()
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except BaseException as error:
            if entry in self._waiting[call.urgency]:
                self._waiting[call.urgency].remove(entry)
            elif turn.done() and not turn.cancelled() and turn.exception() is None:
                self.end(call)  # Its turn came in the moment in which it was given up.
            if isinstance(error, TimeoutError):
                _not_made.labels("limit").inc()
                raise Away("as many calls as Stripe allows are waiting for their turn") from error
            raise
        _waits.labels(call.urgency).observe(self._now() - began)

    def end(self, call: Call) -> None:
        """The call is over."""
        self._under_way[call.urgency] -= 1
        now, was_open = self._now(), (self._stripe.breaker.is_open, self._breaker.is_open)
        self._stripe.breaker.end(call, call.outcome, self._name, now)
        self._breaker.end(call, call.outcome, self._name, now)
        self._tell("stripe", was_open[0], self._stripe.breaker.is_open)
        self._tell("account", was_open[1], self._breaker.is_open)
        self._serve()

    def slow_down(self, sent_at: float) -> None:
        """Stripe said that a call came too soon."""
        self._bucket.refuse(sent_at, self._now(), self._stripe.spread())

    def is_idle(self) -> bool:
        """Whether a new lane would behave the same."""
        is_used = any(self._under_way.values()) or any(self._waiting.values())
        is_failing = self._breaker.is_open or self._breaker.has_failed
        return not is_used and not is_failing and self._bucket.is_rested(self._now())

    def _serve(self) -> None:
        """Give turns to those who wait, the urgent ones first."""
        for urgency in ("urgent", "patient"):
            queue = self._waiting[urgency]
            while queue:
                if not self._is_admitted():
                    return self._send_away()
                if not self._has_room(urgency):
                    break
                if (delay_s := self._bucket.delay_s(self._now())) > 0:
                    return self._serve_in(delay_s)
                call, turn = queue.popleft()
                if not turn.done():
                    self._begin(call)
                    turn.set_result(None)
        return None

    def _serve_in(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._serve()

    def _send_away(self) -> None:
        for queue in self._waiting.values():
            while queue:
                _, turn = queue.popleft()
                if not turn.done():
                    turn.set_exception(self._away())

    def _begin(self, call: Call) -> None:
        self._bucket.take()
        self._under_way[call.urgency] += 1
        call.sent_at = self._now()
        self._stripe.breaker.begin(call)
        self._breaker.begin(call)

    def _has_room(self, urgency: Urgency) -> bool:
        if urgency == "patient" and self._under_way["patient"] >= PATIENT_AT_ONCE:
            return False
        return sum(self._under_way.values()) < AT_ONCE

    def _is_admitted(self) -> bool:
        now = self._now()
        return self._stripe.breaker.admits(now) and self._breaker.admits(now)

    def _away(self) -> Away:
        _not_made.labels("breaker").inc()
        whole = self._stripe.breaker.is_open
        return Away(f"{'Stripe' if whole else 'the account'} failed often: it is left alone")

    def _tell(self, scope: str, was_open: bool, is_open: bool) -> None:
        if was_open == is_open:
            return
        _open.labels(scope).inc(1 if is_open else -1)
        account = self._name if scope == "account" else None
        _log.warning(f"breaker_{'opened' if is_open else 'closed'}", scope=scope, account=account)


for _scope in ("stripe", "account"):
    _open.labels(_scope).set(0)
