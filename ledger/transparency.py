"""An organization's public sums: what may be told of its money, by currency.

Rules:
- money that the log shows counts at once; whoever adds the entries up gets the same;
- internal_only money never counts;
- other sealed money counts when its month is over, by fund and currency, where that is a row which
  a statement may have (`ledger/statement.py`); rows that would tell one or two gifts are folded
  into later such rows until together they do not;
- so each published sum is made of whole rows and folds, and so is the difference of any two,
  statements included: none tells what fewer than three sealed gifts were.

Visibility is the entries' own: one that was widened or whose day has come stays in its fold, and
whoever opens a fold's gifts one by one also tells the last.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ledger.statement import Figure, tells_a_gift
from ledger.visibility import Level, level_at_first


@dataclass(slots=True)
class Sum:
    """Minor units; income is positive when money came in. `entries` count once for each fund."""

    entries: int = 0
    income_minor: int = 0
    expenses_minor: int = 0

    def add(self, figures: Iterable[Figure]) -> None:
        """Count figures in."""
        for figure in figures:
            self.entries += figure.entries
            self.income_minor += figure.income_minor
            self.expenses_minor += figure.expenses_minor


@dataclass(slots=True)
class Transparency:
    """One currency: money in the clear, sealed money in sums, entries in no sum yet."""

    shown: Sum
    folded: Sum
    entries_waiting: int = 0

    @property
    def income_minor(self) -> int:
        """All income that may be told."""
        return self.shown.income_minor + self.folded.income_minor

    @property
    def expenses_minor(self) -> int:
        """All expenses that may be told."""
        return self.shown.expenses_minor + self.folded.expenses_minor


def transparency(
    figures: Iterable[tuple[date, Figure]], settled: date | None
) -> dict[str, Transparency]:
    """What may be told of one organization's figures, by currency.

    Each figure comes with its month; months before `settled` are over and complete.
    """
    told: defaultdict[str, Transparency] = defaultdict(lambda: Transparency(Sum(), Sum()))
    rows: defaultdict[tuple[str, str], defaultdict[date, list[Figure]]]
    rows = defaultdict(lambda: defaultdict(list))
    for month, figure in figures:
        level = level_at_first(figure.visibility)
        if level is Level.OPENED:
            told[figure.currency].shown.add([figure])
        elif level is Level.IN_SUMS:
            rows[figure.fund, figure.currency][month].append(figure)
    for (_, currency), months in rows.items():
        _fold(told[currency], months, settled)
    return dict(sorted(told.items()))


def _fold(
    of_currency: Transparency, months: dict[date, list[Figure]], settled: date | None
) -> None:
    """Count the rows of one fund."""
    kept: list[Figure] = []
    for month in sorted(months):
        row = months[month]
        if settled is None or month >= settled:
            of_currency.entries_waiting += sum(figure.entries for figure in row)
        elif not tells_a_gift(row):
            of_currency.folded.add(row)
        else:
            kept += row
            if not tells_a_gift(kept):
                of_currency.folded.add(kept)
                kept = []
    of_currency.entries_waiting += sum(figure.entries for figure in kept)
