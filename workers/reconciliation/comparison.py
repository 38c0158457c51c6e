"""What a comparison came to: rows of what is not agreed, and both sides by day. Pure.

Rules: all that was judged is in the days, what of it is not `agreed` in the rows: so what the days'
sums differ by is what the rows tell.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from workers.gateways.stripe_listing import Movement
from workers.reconciliation.decisions import Booked, Class, Item


@dataclass(frozen=True, slots=True)
class Row:
    """A difference as it is kept and shown: figures are amount, fees, net; None: not there."""

    subject: str
    of_class: Class
    reason: str
    category: str | None = None
    source: str | None = None
    entry: str | None = None
    currency: str | None = None
    occurred_at: datetime | None = None
    stripe: tuple[int | None, int | None, int] | None = None
    ledger: tuple[int | None, int | None, int] | None = None


def rows_of(item: Item) -> list[Row]:
    """The rows of an item: one, or one for each side when these are in different currencies."""
    rows = []
    for currency, stripe, booked in _by_currency(item):
        is_second = stripe is None and item.stripe is not None
        recorded = booked.recorded_minor or 0 if booked else 0
        rows.append(
            Row(
                subject=f"{item.id}/{currency}" if is_second else item.id,
                of_class=item.of_class,
                reason=item.reason,
                category=item.shown.category,
                source=item.shown.source,
                entry=booked.entry if booked else None,
                currency=currency,
                occurred_at=item.at,
                stripe=(stripe.amount_minor, stripe.fee_minor, stripe.net_minor)
                if stripe
                else None,
                ledger=(booked.amount_minor, booked.fee_minor, recorded) if booked else None,
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Line:
    """Where a movement stands in the daily report."""

    currency: str
    day: date
    category: str


@dataclass(slots=True)
class Figures:
    """Both sides of one line: how many movements, and minor units."""

    stripe_count: int = 0
    stripe_amount_minor: int = 0
    stripe_fee_minor: int = 0
    stripe_net_minor: int = 0
    ledger_count: int = 0
    ledger_amount_minor: int = 0
    ledger_fee_minor: int = 0
    ledger_net_minor: int = 0

    def add(self, stripe: Movement | None, booked: Booked | None) -> None:
        """Add a movement's sides; ours counts once it is recorded."""
        if stripe is not None:
            self.stripe_count += 1
            self.stripe_amount_minor += stripe.amount_minor
            self.stripe_fee_minor += stripe.fee_minor
            self.stripe_net_minor += stripe.net_minor
        if booked is not None and booked.recorded_minor is not None:
            self.ledger_count += 1
            self.ledger_amount_minor += booked.amount_minor
            self.ledger_fee_minor += booked.fee_minor
            self.ledger_net_minor += booked.recorded_minor


class Comparison:
    """Collects judged movements: what is not agreed, and both sides by day."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.days: dict[Line, Figures] = {}
        self.movements = 0

    def add(self, items: Iterable[Item]) -> None:
        """Add movements, each once."""
        for item in items:
            self.movements += 1
            if item.of_class != "agreed":
                self.items[item.id] = item
            for currency, stripe, booked in _by_currency(item):
                line = Line(currency, item.at.astimezone(UTC).date(), _line_of(item))
                self.days.setdefault(line, Figures()).add(stripe, booked)


def _by_currency(item: Item) -> list[tuple[str, Movement | None, Booked | None]]:
    """An item's sides by currency: a currency that differs is in neither sum of the other one."""
    stripe, booked = item.stripe, item.booked
    if stripe is not None and booked is not None and stripe.currency != booked.currency:
        return [(stripe.currency, stripe, None), (booked.currency, None, booked)]
    return [(item.shown.currency, stripe, booked)]


def _line_of(item: Item) -> str:
    return item.of_class if item.of_class in {"foreign", "in_transit"} else item.shown.category
