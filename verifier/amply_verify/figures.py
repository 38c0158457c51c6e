"""Step 11: what an organization's entries add up to, and what could not be seen.

Balances come from all money seen. A statement is judged by its month's entries, internal_only ones
aside; while any of them is sealed it cannot be judged, but a second one for the month is refused.
"""

from collections import Counter, defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from amply_verify.entry import Entry
from amply_verify.errors import RefusedError
from amply_verify.money import Line, Pair, Postings, add_up

STEP = 11
_INTERNAL = "internal_only"


@dataclass(slots=True)
class Month:
    """What the entries of a month that count in its statement add up to, as far as seen."""

    sums_minor: dict[Line, int] = field(default_factory=dict)
    entries: dict[Pair, int] = field(default_factory=dict)
    sealed: bool = False

    def totals(self) -> list[dict[str, Any]]:
        """The rows that a statement of this month must have (section 5)."""
        income = dict.fromkeys(self.entries, 0)
        expenses = dict.fromkeys(self.entries, 0)
        for line, amount_minor in self.sums_minor.items():
            pair = (line.fund, line.currency)
            if line.account.startswith("Income:"):
                income[pair] -= amount_minor
            elif line.account.startswith("Expenses:"):
                expenses[pair] += amount_minor
        return [
            {
                "currency": pair[1],
                "entries": self.entries[pair],
                "expenses": str(expenses[pair]),
                "fund": pair[0],
                "income": str(income[pair]),
            }
            for pair in sorted(self.entries)
        ]


@dataclass(slots=True)
class Figures:
    """Adds up entries in chain order; two of them, over neighbouring parts of a chain, merge.

    `now` is a time of the format: a delayed entry is overdue from its `public_after` on.
    """

    now: str
    months: dict[str, Month] = field(default_factory=lambda: defaultdict(Month))
    internal_minor: dict[Line, int] = field(default_factory=dict)
    sealed_money: Counter[str] = field(default_factory=Counter)
    overdue: int = 0
    donors_missing: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    statements: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether the balances lack money that is sealed."""
        return bool(self.sealed_money)

    @property
    def donors_erased(self) -> int:
        """Entries whose donor is not given and was erased."""
        return len(self.donors_missing & self.erased)

    @property
    def donors_not_given(self) -> int:
        """Entries whose donor is not given though nothing in the chain erased it."""
        return len(self.donors_missing - self.erased)

    def balances_minor(self) -> dict[Line, int]:
        """The balance of every fund, account and currency from all money seen, in minor units."""
        months = (month.sums_minor for month in self.months.values())
        return add_up((*months, self.internal_minor))

    def add(self, entry: Entry, opened: Set[str], postings: Postings | None) -> None:
        """Count a valid entry; `postings` is None while its money is absent or sealed."""
        if postings is not None:
            internal = entry.visibility == _INTERNAL
            month = self.months[entry.time[:7]]
            sums_minor = self.internal_minor if internal else month.sums_minor
            for line, amount_minor in postings.amounts_minor:
                sums_minor[line] = sums_minor.get(line, 0) + amount_minor
            if not internal:
                for pair in postings.pairs:
                    month.entries[pair] = month.entries.get(pair, 0) + 1
        if entry.seals:
            self._add_sealed(entry, entry.seals.keys() - opened)
        if entry.kind == "statement":
            self.statements.append((entry.seq, entry.shown["details"]))
        elif entry.kind == "erasure" and entry.ref is not None:
            self.erased.add(entry.ref)

    def merge(self, later: "Figures") -> None:
        """Take in the figures of the part of the chain that follows."""
        for period, part in later.months.items():
            month = self.months[period]
            month.sums_minor = add_up((month.sums_minor, part.sums_minor))
            for pair, count in part.entries.items():
                month.entries[pair] = month.entries.get(pair, 0) + count
            month.sealed |= part.sealed
        self.internal_minor = add_up((self.internal_minor, later.internal_minor))
        self.sealed_money += later.sealed_money
        self.overdue += later.overdue
        self.donors_missing |= later.donors_missing
        self.erased |= later.erased
        self.statements += later.statements

    def check_statements(self) -> None:
        """Recompute every statement that can be; raises RefusedError at the first wrong one."""
        periods: set[str] = set()
        for seq, details in self.statements:
            period = details["period"]
            if period in periods:
                raise RefusedError(STEP, f"this is a second statement for {period}", seq)
            periods.add(period)
            month = self.months.get(period, Month())
            if not month.sealed and details["totals"] != month.totals():
                raise RefusedError(STEP, f"the statement for {period} does not add up", seq)

    def _add_sealed(self, entry: Entry, sealed: set[str]) -> None:
        if "donor" in sealed:
            self.donors_missing.add(entry.id)
        if "money" in sealed:
            self.sealed_money[entry.visibility] += 1
            if entry.visibility != _INTERNAL:
                self.months[entry.time[:7]].sealed = True
        if entry.public_after is not None and entry.public_after <= self.now:
            self.overdue += not sealed.isdisjoint(("money", "details"))
