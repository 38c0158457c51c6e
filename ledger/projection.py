"""What entries and openings add up to, entry by entry: everything that can be rebuilt from them.

Rules: the stored bytes are the truth; sealed money counts by its opening; days and months are those
of recorded time, UTC; visibility is the entry's own. Sums over parts of a log may be added up.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import orjson

from amply_verify.errors import InvalidError
from amply_verify.kinds import KINDS
from amply_verify.money import Line, MoneyReader
from ledger.accounts import ASSETS
from ledger.chain import Fund, Head
from ledger.decision import BalanceKey

INCOME: Final = "Income:"
EXPENSES: Final = "Expenses:"

#: Kinds that exist to correct an earlier entry.
CORRECTIONS: Final = frozenset(
    name for name, kind in KINDS.items() if {"ref", "money"} <= kind.required
)


class DayKey(NamedTuple):
    """What a daily sum is of."""

    fund: str
    account: str
    currency: str
    visibility: str
    day: date
    organization: str


class MonthKey(NamedTuple):
    """What a month's figures are of; `month` is its first day."""

    fund: str
    month: date
    currency: str
    visibility: str
    organization: str


@dataclass(slots=True)
class MonthFigures:
    """As `ledger.statement.Figure` says."""

    entries: int = 0
    gifts: int = 0
    income_minor: int = 0
    expenses_minor: int = 0


class StoredEntry(NamedTuple):
    """An entry as it is stored; `at` is its index in the log."""

    at: int
    organization: str
    seq: int
    id: str
    kind: str
    data: bytes
    leaf_hash: bytes
    donor_seal: bytes | None
    recorded_at: datetime


class UnreadableEntryError(RuntimeError):
    """An entry's money cannot be read: stored bytes or an opening are not what was recorded."""


class Reader:
    """Reads the money of stored entries."""

    def __init__(self) -> None:
        self._money = MoneyReader()

    def read(self, entry: StoredEntry, opening: bytes | None) -> tuple[str, list[tuple[Line, int]]]:
        """Visibility and postings (none for kinds without money); `opening` is the money's.

        Raises UnreadableEntryError.
        """
        try:
            value: dict[str, Any] = orjson.loads(entry.data)
            money = value.get("money")
            if money is None:
                return value["visibility"], []
            if "sealed" in money:
                if opening is None:
                    raise UnreadableEntryError(
                        f"entry {entry.at}: the opening of its money is missing"
                    )
                money = orjson.loads(opening)["value"]
            return value["visibility"], self._money.parse(money).amounts_minor
        except (ValueError, KeyError, TypeError, AttributeError, InvalidError) as error:
            raise UnreadableEntryError(f"entry {entry.at}: its money is not readable") from error


@dataclass(slots=True)
class Sums:
    """What some entries change, by day and by month."""

    daily_minor: defaultdict[DayKey, int] = field(default_factory=lambda: defaultdict(int))
    monthly: defaultdict[MonthKey, MonthFigures] = field(
        default_factory=lambda: defaultdict(MonthFigures)
    )

    def add(self, entry: StoredEntry, visibility: str, postings: list[tuple[Line, int]]) -> None:
        """Count an entry."""
        day = entry.recorded_at.astimezone(UTC).date()
        organization = entry.organization
        touched: dict[tuple[str, str], bool] = {}
        month = day.replace(day=1)
        for line, amount_minor in postings:
            fund, account, currency = line
            key = DayKey(fund, account, currency, visibility, day, organization)
            self.daily_minor[key] += amount_minor
            figures = self.monthly[MonthKey(fund, month, currency, visibility, organization)]
            pair = (fund, currency)
            has_income = account.startswith(INCOME)
            touched[pair] = touched.get(pair, False) or has_income
            if has_income:
                figures.income_minor -= amount_minor
            elif account.startswith(EXPENSES):
                figures.expenses_minor += amount_minor
        for (fund, currency), has_income in touched.items():
            figures = self.monthly[MonthKey(fund, month, currency, visibility, organization)]
            figures.entries += 1
            if has_income:
                figures.gifts += -1 if entry.kind in CORRECTIONS else 1


@dataclass(slots=True)
class Books:
    """What some entries change in the tables that the writer keeps as it appends."""

    chains: dict[str, Head] = field(default_factory=dict)
    funds: dict[str, Fund] = field(default_factory=dict)
    balances_minor: defaultdict[BalanceKey, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, log: int, entry: StoredEntry, postings: list[tuple[Line, int]]) -> None:
        """Count an entry."""
        self.chains[entry.organization] = Head(log, entry.seq, entry.leaf_hash)
        for line, amount_minor in postings:
            fund = self.funds.get(line.fund)
            if line.account.startswith(ASSETS):
                self.funds[line.fund] = Fund(entry.organization, line.currency)
            elif fund is None:
                self.funds[line.fund] = Fund(entry.organization, None)
            self.balances_minor[entry.organization, *line] += amount_minor
