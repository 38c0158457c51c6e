"""A history that fails is told as briefly as it can be."""

from tests.histories.finding import Finding
from tests.histories.history import History, Report, draw
from tests.histories.shrink import shrink


async def test_only_the_steps_that_break_a_rule_are_left() -> None:
    drawn = draw(1, 30)
    needed = {drawn.steps[4], drawn.steps[21]}

    async def play(history: History) -> Report:
        broken = needed <= set(history.steps)
        return Report(history, findings=[Finding("balance", "a cent")] if broken else [])

    short = await shrink(await play(drawn), play)
    assert set(short.history.steps) == needed
    assert short.history.is_calm


async def test_a_history_that_breaks_another_rule_is_another_story() -> None:
    drawn = draw(2, 12)

    async def play(history: History) -> Report:
        rule = "balance" if len(history.steps) > 6 else "crash"
        return Report(history, findings=[Finding(rule, "something")])

    short = await shrink(await play(drawn), play)
    assert short.rules == {"balance"}
    assert len(short.history.steps) == 7


async def test_a_history_is_the_same_for_the_same_seed_and_begins_with_an_organization() -> None:
    assert draw(7) == draw(7) != draw(8)
    assert draw(7).steps[0].kind == "found"
