"""Random histories: drawn from a seed, played through the real workers, brought to rest, judged."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Final

from tests.histories.audit import audit
from tests.histories.finding import Finding
from tests.histories.giving import GIVING
from tests.histories.machinery import Machinery
from tests.histories.paying_out import PAYING_OUT
from tests.histories.play import Play
from tests.histories.returning import RETURNING
from tests.histories.sandbox import RefusedByStripeError
from tests.histories.step import Step, Table
from tests.histories.trouble import Trouble, Weather
from tests.histories.troubles import TROUBLES

TABLE: Final[Table] = {**GIVING, **RETURNING, **PAYING_OUT, **TROUBLES}
STEPS: Final = 40
#: How far the clock goes on until whatever was on its way has arrived: banks, searches, refunds.
REST: Final = (timedelta(minutes=4), timedelta(days=2), timedelta(days=8), timedelta(days=25))
TURNS_MAX: Final = 2000
COMPARISONS: Final = 5


@dataclass(frozen=True, slots=True)
class History:
    """`is_calm`: webhooks and messages come once and in order, and nobody dies."""

    seed: int
    steps: tuple[Step, ...]
    is_calm: bool = False

    def keeping(self, steps: Sequence[Step]) -> "History":
        """The same history with fewer steps."""
        return replace(self, steps=tuple(steps))


@dataclass(slots=True)
class Report:
    """What became of a history: its sentences, and what does not hold at its end."""

    history: History
    sentences: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def rules(self) -> set[str]:
        """Which rules do not hold."""
        return {finding.rule for finding in self.findings}

    def __str__(self) -> str:
        calm = "in calm weather" if self.history.is_calm else "with repeated and lost messages"
        lines = [f"history AMPLY_HISTORY_SEED={self.history.seed}, {calm}:", *self.sentences]
        return "\n  ".join([*lines, "does not hold at its end:", *map(str, self.findings)])


def draw(seed: int, length: int = STEPS) -> History:
    """The history of a seed; it begins with an organization."""
    dice = Random(seed)
    weights = [kind.weight for kind in TABLE.values()]
    kinds = ["found", *dice.choices(list(TABLE), weights, k=length)]
    steps = [Step(number, kind, dice.getrandbits(32)) for number, kind in enumerate(kinds, 1)]
    return History(seed, tuple(steps))


def trouble_of(history: History) -> Trouble:
    """How rough a history is: most are a little of everything, some are calm."""
    dice = Random(f"{history.seed}/trouble")
    if history.is_calm or dice.random() < 0.1:
        return Trouble()
    weather = Weather(
        lost=dice.choice((0.0, 0.1, 0.3)),
        twice=dice.choice((0.0, 0.2, 0.5)),
        held=dice.choice((0.0, 0.2, 0.5)),
    )
    return Trouble(weather, dice.choice((0.0, 0.2, 0.5)), dice.choice((0.0, 0.05, 0.2)))


async def play(
    machinery: Machinery, history: History, judge: Callable[[Play], object] | None = None
) -> Report:
    """Play a history to its end; an exception on the way is a finding as well."""
    report = Report(history)
    played = Play(machinery, trouble_of(history))
    await played.begin()
    try:
        for step in history.steps:
            await _take(played, step, report)
        await rest(played)
        report.findings = await audit(played)
    except Exception as error:  # Whatever it is, the history that led to it is shown.
        trace = "".join(traceback.format_exception(error, limit=-6))
        report.findings = [Finding(f"crash {type(error).__name__}", trace)]
    finally:
        await played.close()
    return report


async def _take(played: Play, step: Step, report: Report) -> None:
    try:
        sentence = await TABLE[step.kind].act(played, step)
    except RefusedByStripeError:
        return
    if sentence is not None:
        report.sentences.append(f"{step.number}. {sentence}")
        dice = step.random("work")
        await played.work(dice, 50 if report.history.is_calm else dice.choice((0, 0, 1, 2, 6)))


async def rest(played: Play) -> None:
    """No more trouble: everything on its way arrives, until nothing changes any more."""
    played.trouble = Trouble()
    played.sandbox.faults.rows.clear()
    await played.sandbox.control("late_transactions", enabled=False)
    await played.sandbox.control("late_transactions/release")
    dice = Random("rest")
    await settle(played, dice)
    for span in REST:
        await played.advance(span)
        await played.machinery.reconciling.sweep(played.accounts())
        await settle(played, dice)
    # What no event and no sweep led to is found by comparing; a look heals it.
    for _ in range(COMPARISONS):
        played.compared = await played.machinery.reconciling.compare(played.accounts())
        if not await settle(played, dice):
            break


async def settle(played: Play, dice: Random) -> bool:
    """Let everybody work until nobody has anything to do; whether anybody had."""
    had = False
    for _ in range(TURNS_MAX):
        busy = await played.work(dice, 50)
        if not await played.machinery.retry() and not busy:
            return had
        had = True
    raise AssertionError("the platform does not come to rest")
