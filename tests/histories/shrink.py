"""Makes a failing history short enough to read: fewer steps, calm weather, the same rule broken."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from tests.histories.history import History, Report

#: So long, and so many plays at most: a history that is not shortest yet is better than none.
SHRINK_S_MAX: Final = 120.0
PLAYS_MAX: Final = 200

Player = Callable[[History], Awaitable[Report]]


async def shrink(report: Report, play: Player) -> Report:
    """A report about the shortest history found that breaks one of the same rules.

    Whole stretches of steps are left out first, then smaller ones, until no single step can go.
    A step keeps its dice and its choices when others go, so what is left is the same story.
    """
    best, rules = report, report.rules
    deadline = time.monotonic() + SHRINK_S_MAX
    plays = 0

    async def breaks(history: History) -> bool:
        nonlocal best, plays
        plays += 1
        tried = await play(history)
        if not tried.rules & rules:
            return False
        best = tried
        return True

    await breaks(replace(best.history, is_calm=True))
    stretch = len(best.history.steps) // 2
    while stretch and plays < PLAYS_MAX and time.monotonic() < deadline:
        start, went = 0, False
        while start < len(best.history.steps) and plays < PLAYS_MAX:
            steps = best.history.steps
            if await breaks(best.history.keeping(steps[:start] + steps[start + stretch :])):
                went = True
            else:
                start += stretch
        if not (went and stretch == 1):  # Single steps are tried until none of them can go.
            stretch //= 2
    return best
