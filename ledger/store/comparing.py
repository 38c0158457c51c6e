"""What the entries come to against the stored projections, key by key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from ledger.chain import Fund, Head
from ledger.check import Recomputation
from ledger.findings import Findings
from ledger.projection import DayKey, MonthFigures, MonthKey, Sums
from ledger.store.connection import AnyConnection

DAY: Final = """
    SELECT fund, account, currency, visibility, day, organization, amount::text
    FROM ledger.daily_sums WHERE day = $1
"""
MONTH: Final = """
    SELECT fund, month, currency, visibility, organization, entries, gifts, income::text,
        expenses::text
    FROM ledger.monthly_figures WHERE month = $1
"""
TABLES: Final = ("daily_sums", "monthly_figures")
COUNTS: Final = (
    "SELECT count(*) FROM ledger.daily_sums",
    "SELECT count(*) FROM ledger.monthly_figures",
)
CHAINS: Final = "SELECT organization, log, seq, head FROM ledger.chains WHERE log = $1"
FUNDS: Final = "SELECT id, organization, currency FROM ledger.funds"
BALANCES: Final = """
    SELECT organization, fund, account, currency, amount::text FROM ledger.balances
"""
PREFETCH: Final = 5_000


class SumsComparison:
    """Compares sums by day and month once their time is over, so that few are in memory."""

    def __init__(self, connection: AnyConnection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._rows = [0, 0]
        self._today: date | None = None

    async def compare(self, sums: Sums, today: date | None) -> None:
        """Compare and forget the days and months before `today`; all, when it is None."""
        if today is not None and today == self._today:
            return
        self._today = today
        month = today.replace(day=1) if today else date.max
        for day in sorted({key.day for key in sums.daily_minor if key.day < (today or date.max)}):
            days = {key: amount for key, amount in sums.daily_minor.items() if key.day == day}
            await self._compare_day(day, days)
            for key in days:
                del sums.daily_minor[key]
        for first in sorted({key.month for key in sums.monthly if key.month < month}):
            months = {key: one for key, one in sums.monthly.items() if key.month == first}
            await self._compare_month(first, months)
            for over in months:
                del sums.monthly[over]
        if today is None:
            await self._count_rows()

    async def _compare_day(self, day: date, mine: Mapping[DayKey, int]) -> None:
        rows = await self._connection.fetch(DAY, day)
        self._rows[0] += len(rows)
        self._differ("daily_sums", mine, {DayKey(*row[:6]): int(row[6]) for row in rows})

    async def _compare_month(self, month: date, mine: Mapping[MonthKey, MonthFigures]) -> None:
        rows = await self._connection.fetch(MONTH, month)
        self._rows[1] += len(rows)
        stored = {MonthKey(*row[:5]): MonthFigures(*map(int, row[5:])) for row in rows}
        self._differ("monthly_figures", mine, stored)

    async def _count_rows(self) -> None:
        for table, sql, compared in zip(TABLES, COUNTS, self._rows, strict=True):
            stored = await self._connection.fetchval(sql)
            if stored != compared:
                message = (
                    f"{table} has {stored} rows, of which {compared} are of times with entries"
                )
                self._findings.add(table, message)

    def _differ(self, table: str, mine: Mapping[Any, Any], stored: Mapping[Any, Any]) -> None:
        for key in mine.keys() | stored.keys():
            if mine.get(key) != stored.get(key):
                where = " ".join(str(part) for part in key[:-1])
                message = f"{table} of {where}: {_said(stored.get(key))} is stored, " + (
                    f"the entries give {_said(mine.get(key))}"
                )
                self._findings.add(table, message, organization=key.organization)


async def compare_books(
    connection: AnyConnection, log: int, recomputed: Recomputation, findings: Findings
) -> None:
    """Compare chains, funds and balances with what the entries come to."""
    same = _Comparison(findings, "chain", dict(recomputed.chains))
    async for organization, *head in connection.cursor(CHAINS, log, prefetch=PREFETCH):
        same.see(organization, Head(*head), organization, f"the head of {organization}")
    same.finish()
    same = _Comparison(findings, "fund", dict(recomputed.books.funds))
    async for name, organization, currency in connection.cursor(FUNDS, prefetch=PREFETCH):
        same.see(name, Fund(organization, currency), organization, name)
    same.finish()
    same = _Comparison(findings, "balance", dict(recomputed.books.balances_minor))
    async for *key, amount in connection.cursor(BALANCES, prefetch=PREFETCH):
        same.see(tuple(key), int(amount), key[0], " ".join(key))
    same.finish()


@dataclass(slots=True)
class _Comparison:
    """Rows against what the entries give; `rest` is what no row was seen for yet."""

    findings: Findings
    code: str
    rest: dict[Any, Any]

    def see(self, key: Any, stored: Any, organization: str, what: str) -> None:
        mine = self.rest.pop(key, None)
        if stored != mine:
            message = f"{what}: {_said(stored)} is stored, the entries give {_said(mine)}"
            self.findings.add(self.code, message, organization=organization)

    def finish(self) -> None:
        for key, mine in self.rest.items():
            what = key if isinstance(key, str) else " ".join(key)
            message = f"{what}: nothing is stored, the entries give {_said(mine)}"
            self.findings.add(self.code, message)


def _said(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case Head():
            return f"seq {value.seq} with hash {value.leaf_hash.hex()[:16]}…"
        case Fund():
            return f"{value.organization} with {value.currency}"
        case MonthFigures():
            return (
                f"{value.entries} entries, {value.gifts} gifts, income {value.income_minor}, "
                f"expenses {value.expenses_minor}"
            )
        case _:
            return str(value)
