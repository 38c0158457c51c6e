"""The report out of stored rows: days with opening and closing on both sides. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final, TypeAlias

from asyncpg import Record

from contracts.money import exponent_of, spell_decimal
from edge.times import spell_time

#: As the store reads it, by name.
Row: TypeAlias = Mapping[str, Any] | Record

SIDES: Final = ("stripe", "ledger")
FIGURES: Final = ("amount", "fee", "net")
#: Classes of differences that both sides explain.
EXPLAINED: Final = frozenset({"in_transit", "foreign"})
COLUMNS: Final = (
    "day",
    "account",
    "currency",
    "line",
    *(f"{side}_{name}" for side in SIDES for name in ("count", *FIGURES)),
    "difference",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of an organization, rows as the store gives them."""

    accounts: Sequence[Row]
    openings: Sequence[Row]
    days: Sequence[Row]
    counts: Mapping[str, int]
    differences: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Day:
    """A day's lines, and what both sides came to before and after it (Stripe's, the ledger's)."""

    day: date
    opening: tuple[int, int]
    closing: tuple[int, int]
    lines: Sequence[Row]


def days_of(found: Found, account: str, currency: str) -> Iterator[Day]:
    """The days of an account in a currency, each beginning where the one before ended."""
    key = (account, currency)
    opening = next(
        ((row["stripe"], row["ledger"]) for row in found.openings if _key_of(row) == key), (0, 0)
    )
    rows = [row for row in found.days if _key_of(row) == key]
    for day, of_day in groupby(rows, key=lambda row: row["day"]):
        lines = list(of_day)
        moved = tuple(sum(line[f"{side}_net_minor"] for line in lines) for side in SIDES)
        closing = (opening[0] + moved[0], opening[1] + moved[1])
        yield Day(day, opening, closing, lines)
        opening = closing


def agrees(found: Found) -> bool:
    """Whether every account was compared, with nothing open that is not explained."""
    outcomes = {row["outcome"] for row in found.accounts}
    return outcomes == {"agreed"} and set(found.counts) <= EXPLAINED


def report(organization: str, first: date, last: date, found: Found) -> dict[str, Any]:
    """The report as the API shows it."""
    return {
        "object": "reconciliation",
        "organization": organization,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "agrees": agrees(found),
        "accounts": [_account(row, found) for row in found.accounts if row["currency"] is not None],
        "open": dict(found.counts),
        "differences": [_difference(row) for row in found.differences],
    }


def _account(row: Row, found: Found) -> dict[str, Any]:
    names = ("balance", "ledger", "in_transit", "foreign", "different")
    return {
        "account": row["account"],
        "currency": row["currency"],
        "outcome": row["outcome"],
        "compared_at": spell_time(row["finished_at"]),
        **{f"{name}_minor": str(row[f"{name}_minor"]) for name in names},
        "days": [
            {
                "day": one.day.isoformat(),
                **{
                    side: {
                        "opening_minor": str(one.opening[place]),
                        "closing_minor": str(one.closing[place]),
                    }
                    for place, side in enumerate(SIDES)
                },
                "movements": [
                    {"category": line["category"], **{side: _side(line, side) for side in SIDES}}
                    for line in one.lines
                ],
            }
            for one in days_of(found, row["account"], row["currency"])
        ],
    }


def _side(line: Row, side: str) -> dict[str, Any]:
    figures = {f"{name}_minor": str(line[f"{side}_{name}_minor"]) for name in FIGURES}
    return {"count": line[f"{side}_count"], **figures}


def _difference(row: Row) -> dict[str, Any]:
    plain = ("account", "subject", "reason", "category", "source", "entry", "currency")
    occurred_at = row["occurred_at"]
    return {
        **{name: row[name] for name in plain},
        "of_class": row["class"],
        "occurred_at": spell_time(occurred_at) if occurred_at else None,
        "opened_at": spell_time(row["opened_at"]),
        **{side: _figures(row, side) for side in SIDES},
    }


def _figures(row: Row, side: str) -> dict[str, str | None] | None:
    if row[f"{side}_net_minor"] is None:
        return None
    values = {name: row[f"{side}_{name}_minor"] for name in FIGURES}
    return {
        f"{name}_minor": None if value is None else str(value) for name, value in values.items()
    }


def csv(found: Found) -> str:
    """The days as CSV (RFC 4180): opening, a line a category, closing; decimal amounts."""
    rows = [",".join(COLUMNS)]
    for account in found.accounts:
        if account["currency"] is None:
            continue
        for one in days_of(found, account["account"], account["currency"]):
            key = (one.day.isoformat(), account["account"], account["currency"])
            rows += _day_rows(key, one)
    return "".join(f"{row}\r\n" for row in rows)


def _day_rows(key: tuple[str, str, str], one: Day) -> Iterator[str]:
    exponent = exponent_of(key[2])

    def row(line: str, stripe: Sequence[str], ledger: Sequence[str], difference: int) -> str:
        return ",".join((*key, line, *stripe, *ledger, spell_decimal(difference, exponent)))

    def balance(line: str, sums: tuple[int, int]) -> str:
        stripe, ledger = (("", "", "", spell_decimal(total, exponent)) for total in sums)
        return row(line, stripe, ledger, sums[0] - sums[1])

    def side(line: Row, name: str) -> list[str]:
        figures = [spell_decimal(line[f"{name}_{one}_minor"], exponent) for one in FIGURES]
        return [str(line[f"{name}_count"]), *figures]

    yield balance("opening", one.opening)
    for line in one.lines:
        difference = line["stripe_net_minor"] - line["ledger_net_minor"]
        yield row(line["category"], side(line, "stripe"), side(line, "ledger"), difference)
    yield balance("closing", one.closing)


def _key_of(row: Row) -> tuple[str, str]:
    return row["account"], row["currency"]
