"""How fast to call, and when not to call at all. Pure: whoever uses it says what time it is.

Times are seconds of a clock that never goes back. Nothing here waits.
"""

from typing import Final, Literal

#: After a refusal the rate is halved, never below this part of what is allowed, and back in full
#: after so many seconds without another one.
SLOWEST: Final = 1 / 32
RECOVERY_S: Final = 30.0
#: How long nothing is called after a refusal: doubling with each in a row, up to the second.
PAUSE_S_FIRST: Final = 0.5
PAUSE_S_MAX: Final = 30.0

#: A breaker stays open for so long before it tries, doubling up to the second.
OPEN_S_FIRST: Final = 5.0
OPEN_S_MAX: Final = 60.0

Outcome = Literal["answered", "failed", "unknown"]


class Bucket:
    """A token bucket that gives at most `limit` tokens in any second (one, when it is below one).

    A fifth of them may come at once after a rest, the others come evenly.
    """

    def __init__(self, limit: float, now: float) -> None:
        self._burst = max(limit / 5, 1.0)
        self.full_rate = max(limit - self._burst, limit / 2)
        self._tokens = self._burst
        self._rate = self.full_rate
        self._at = now
        self._slowed_at = -RECOVERY_S
        self._refusals = 0
        self._paused_until = 0.0

    def rate(self, now: float) -> float:
        """Calls a second that are made now: less than allowed for a while after a refusal."""
        recovered = self.full_rate * max(0.0, now - self._slowed_at) / RECOVERY_S
        return min(self.full_rate, self._rate + recovered)

    def delay_s(self, now: float) -> float:
        """Seconds until a token may be there; 0 when one is."""
        self._fill(now)
        lacking = 1.0 - self._tokens
        # A hair of a token may be missing by rounding: it would be waited for without end.
        wait_s = lacking / self.rate(now) if lacking > 1e-6 else 0.0
        return max(wait_s, self._paused_until - now, 0.0)

    def take(self) -> None:
        """Use the token that `delay_s` found."""
        self._tokens -= 1.0

    def refuse(self, sent_at: float, now: float, spread: float) -> None:
        """A call sent at `sent_at` was refused for coming too fast.

        Calls that were on their way together are one refusal. `spread` (0.5 to 1) shortens the
        pause, so that several processes do not come back at once.
        """
        if sent_at <= self._slowed_at:
            return
        self._fill(now)
        self._rate = max(self.rate(now) / 2, self.full_rate * SLOWEST)
        is_in_row = now - self._slowed_at < RECOVERY_S
        self._refusals = self._refusals + 1 if is_in_row else 1
        self._slowed_at = now
        self._tokens = min(self._tokens, 0.0)
        pause_s = min(PAUSE_S_FIRST * 2.0 ** min(self._refusals - 1, 16), PAUSE_S_MAX)
        self._paused_until = now + pause_s * spread

    def is_rested(self, now: float) -> bool:
        """Whether a new bucket would behave the same."""
        self._fill(now)
        return self._tokens == self._burst and now - self._slowed_at >= RECOVERY_S

    def _fill(self, now: float) -> None:
        grown = max(0.0, now - max(self._at, self._paused_until)) * self.rate(now)
        self._tokens = min(self._burst, self._tokens + grown)
        self._at = max(now, self._at)


class Breaker:
    """Opens after so many failures in a row, tries one call after a while, closes when it works.

    The failures must also be about so many different subjects: one that fails alone is not all of
    Stripe. Answers to calls that began before it opened change nothing.
    """

    def __init__(self, failures_max: int, subjects_least: int = 1) -> None:
        self._failures_max = failures_max
        self._subjects_least = subjects_least
        self._failures = 0
        self._subjects: set[str] = set()
        self._open_s = OPEN_S_FIRST
        self._open_until: float | None = None
        self._probe: object | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, the one that tries excepted."""
        return self._open_until is not None

    @property
    def has_failed(self) -> bool:
        """Whether the newest answer was a failure."""
        return self._failures > 0

    def admits(self, now: float) -> bool:
        """Whether a call may be made now."""
        return self._open_until is None or (self._probe is None and now >= self._open_until)

    def begin(self, call: object) -> None:
        """An admitted call is made; while open, it is the one that tries."""
        if self._open_until is not None:
            self._probe = call

    def end(self, call: object, outcome: Outcome, subject: str, now: float) -> None:
        """What became of a call about `subject`; `unknown` says nothing about Stripe."""
        if self._open_until is None:
            self._count(outcome, subject, now)
        elif self._probe is call:
            self._probe = None
            if outcome == "answered":
                self._close()
            elif outcome == "failed":
                self._open_s = min(self._open_s * 2, OPEN_S_MAX)
                self._open_until = now + self._open_s

    def _count(self, outcome: Outcome, subject: str, now: float) -> None:
        if outcome == "answered":
            self._close()
        elif outcome == "failed":
            self._failures += 1
            self._subjects.add(subject)
            if self._failures >= self._failures_max and len(self._subjects) >= self._subjects_least:
                self._open_until = now + self._open_s

    def _close(self) -> None:
        self._failures = 0
        self._subjects.clear()
        self._open_s = OPEN_S_FIRST
        self._open_until = None
