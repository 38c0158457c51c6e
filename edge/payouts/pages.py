"""Payouts and their items as the API spells them, and as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from asyncpg import Record

from contracts.money import exponent_of, spell_decimal
from edge.errors import Fault, ProblemError
from edge.payouts.models import PayoutSettingsChange
from edge.times import spell_time

DEFAULTS: Final[dict[str, Any]] = {
    "paid_by": "stripe",
    "interval": "daily",
    "weekday": None,
    "month_day": None,
    "minimum_minor": 0,
    "under_review": False,
}
COLUMNS: Final = (
    "payout",
    "arrival_date",
    "balance_transaction",
    "occurred_at",
    "category",
    "source",
    "donation",
    "entry",
    "fund",
    "currency",
    "gross",
    "fee",
    "net",
    "is_part",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def summary(row: Mapping[str, Any] | Record) -> dict[str, Any]:
    """A payout without what adds up to it."""
    waiting = row["waiting_since"]
    return {
        "id": row["id"],
        "object": "payout",
        "account": row["account"],
        "status": row["status"],
        "amount_minor": row["amount_minor"],
        "fee_minor": row["fee_minor"],
        "currency": row["currency"],
        "automatic": row["automatic"],
        "created_at": spell_time(row["created_at"]),
        "arrival_date": spell_time(row["arrival_date"]),
        "failure_code": row["failure_code"],
        "balance_transaction": row["balance_transaction"],
        "attribution": {"itemised": "stripe", "first_in_first_out": "rule", None: None}[
            row["rule"]
        ],
        "rule": row["rule"],
        "waiting": None
        if waiting is None
        else {"since": spell_time(waiting), "lines": row["waiting_for"]},
    }


def payout(row: Mapping[str, Any] | Record, totals: Iterable[Record]) -> dict[str, Any]:
    """A payout with the sums that add up to it: their net is the deposit."""
    spelled = [{**dict(total), "fund": total["fund"] or None} for total in totals]
    if spelled and row["fee_minor"]:
        spelled.append(
            {
                "category": "payout_fee",
                "fund": None,
                "items": 1,
                "gross_minor": 0,
                "fee_minor": row["fee_minor"],
                "net_minor": -row["fee_minor"],
            }
        )
    return summary(row) | {"totals": spelled}


def item(row: Record) -> dict[str, Any]:
    """A movement that a payout carries."""
    values = dict(row)
    # Stripe has no time before itself: one that is not known sorts first.
    known = isinstance(values["occurred_at"], datetime) and values["occurred_at"] > _EPOCH
    occurred_at = spell_time(values["occurred_at"]) if known else None
    return values | {"fund": values["fund"] or None, "occurred_at": occurred_at}


def csv_head() -> str:
    """The first line of the CSV (RFC 4180)."""
    return _line(COLUMNS)


def csv_lines(payout_: Record, rows: Iterable[Record]) -> str:
    """A line an item, in decimal amounts: the net column adds up to the deposit."""
    exponent = exponent_of(payout_["currency"])
    lines = []
    for row in rows:
        value = item(row)
        figures = [value["gross_minor"], value["fee_minor"], value["net_minor"]]
        lines.append(_csv_line(payout_, value, figures, exponent))
    return "".join(lines)


def csv_fee(payout_: Record) -> str:
    """What Stripe took for the payout itself, as the last line; empty when it took nothing."""
    fee_minor = payout_["fee_minor"]
    if not fee_minor:
        return ""
    value = dict.fromkeys(COLUMNS) | {"category": "payout_fee", "is_part": False}
    value["balance_transaction"] = payout_["balance_transaction"]
    exponent = exponent_of(payout_["currency"])
    return _csv_line(payout_, value, [0, fee_minor, -fee_minor], exponent)


def _csv_line(
    payout_: Record, value: Mapping[str, Any], figures: Sequence[int], exponent: int
) -> str:
    return _line(
        (
            payout_["id"],
            spell_time(payout_["arrival_date"])[:10],
            value["balance_transaction"],
            value["occurred_at"] or "",
            value["category"],
            value["source"] or "",
            value["donation"] or "",
            value["entry"] or "",
            value["fund"] or "",
            payout_["currency"],
            *(spell_decimal(figure, exponent) for figure in figures),
            "true" if value["is_part"] else "false",
        )
    )


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def settings(known: Record | None, standing: Iterable[Record]) -> dict[str, Any]:
    """What an organization wants, and where its payouts stand."""
    return {
        "object": "payout_settings",
        **(dict(known) if known else DEFAULTS),
        "standing": [
            {
                **dict(row),
                "since": spell_time(row["since"]),
                "done_on": row["done_on"].isoformat() if row["done_on"] else None,
            }
            for row in standing
        ],
    }


def changed(known: Mapping[str, Any], change: PayoutSettingsChange) -> dict[str, Any]:
    """The settings after a change; ProblemError 422 when interval and days disagree."""
    wanted = {**known, **change.model_dump(exclude_none=True)}
    for interval, day in (("weekly", "weekday"), ("monthly", "month_day")):
        if wanted["interval"] != interval:
            if getattr(change, day) is not None:
                raise _day_problem(day, f"`{day}` belongs to the interval `{interval}`.")
            wanted[day] = None
        elif wanted[day] is None:
            raise _day_problem(day, f"The interval `{interval}` needs `{day}`.")
    return wanted


def _day_problem(day: str, detail: str) -> ProblemError:
    return ProblemError(
        "invalid_body", detail, param=day, faults=[Fault(day, "interval_mismatch", detail)]
    )
