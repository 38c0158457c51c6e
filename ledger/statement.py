"""Monthly statements: what an organization's month came to, by fund and currency.

Rules (ledger format, section 5): a month by recorded time, UTC, once it is over; entries of
visibility internal_only are left out, other sealed money counts. The format knows no folded rows,
so where a row would tell what one or two sealed gifts were, there is no statement for the month:
the gifts that an entry's own visibility seals, less the entries that correct earlier ones, must be
three or none in each fund and currency, and so must those that no day will open. A month without
money that counts has none either, or each statement would cause the next month's. Nor has one of
more funds and currencies (some 500) than an entry can hold. The id derives from organization and
month.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, NamedTuple

from contracts.identifiers import business_id, type_id
from ledger.entry import Request

KIND: Final = "statement"
SEALED_GIFTS_MIN: Final = 3


class Figure(NamedTuple):
    """Sums of one organization's month by fund, currency and the entries' own visibility.

    `entries` have a posting there; `gifts` are those of them with income, less corrections (kinds
    that need a `ref`) of income; `income_minor` is positive when money came in.
    """

    fund: str
    currency: str
    visibility: str
    entries: int
    gifts: int
    income_minor: int
    expenses_minor: int


def month_due(now: datetime, settled: date) -> date | None:
    """The first day of the next month to state, if it is over; all before `settled` are stated."""
    return settled if month_after(settled) <= now.astimezone(UTC).date() else None


def month_of(moment: datetime) -> date:
    """The first day of a time's month, UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def month_after(month: date) -> date:
    """The first day of the following month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def start_of(month: date) -> datetime:
    """When a month begins."""
    return datetime.combine(month, time(), UTC)


def tells_a_gift(figures: Iterable[Figure]) -> bool:
    """Whether totals of these figures would tell what fewer than three sealed gifts were.

    Now, or when those that are sealed for a time only are open: the others are three or none too.
    """
    sealed: dict[tuple[str, str, bool], int] = {}
    for one in figures:
        if one.visibility not in ("public_full", "internal_only") and (
            one.gifts or one.income_minor or one.expenses_minor
        ):
            for is_for_good in {False, one.visibility == "public_aggregated"}:
                row = (one.fund, one.currency, is_for_good)
                sealed[row] = sealed.get(row, 0) + one.gifts
    return any(gifts < SEALED_GIFTS_MIN for gifts in sealed.values())


def totals(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """The rows of a statement, sorted by fund, then currency."""
    rows: dict[tuple[str, str], list[int]] = {}
    for one in figures:
        if one.visibility != "internal_only":
            row = rows.setdefault((one.fund, one.currency), [0, 0, 0])
            row[0] += one.entries
            row[1] += one.expenses_minor
            row[2] += one.income_minor
    return [
        {
            "currency": currency,
            "entries": entries,
            "expenses": str(expenses_minor),
            "fund": fund,
            "income": str(income_minor),
        }
        for (fund, currency), (entries, expenses_minor, income_minor) in sorted(rows.items())
    ]


def request(organization: str, month: date, figures: Sequence[Figure]) -> Request | None:
    """The statement of a month, or None where the rules allow none."""
    rows = totals(figures)
    if not rows or tells_a_gift(figures):
        return None
    period = f"{month:%Y-%m}"
    subject = f"{KIND}:{organization}:{period}"
    return Request(
        id=type_id("ent", business_id(start_of(month), subject)),
        organization=organization,
        kind=KIND,
        visibility="public_full",
        public_after=None,
        ref=None,
        subject=subject,
        postings=None,
        details={"period": period, "totals": rows},
        donor=None,
    )
