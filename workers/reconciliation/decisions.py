"""What Stripe and the ledger say of one movement, side by side. Pure: no await, clock, database.

Rules: every movement that one side shows is in exactly one class, and what the sides' sums differ
by is the sum of what is not `agreed`, to the cent. `in_transit` and `foreign` are explained; the
other classes are differences. Nothing is corrected here: the workers that book are asked to look.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from contracts.identifiers import parse_type_id
from contracts.looks import LookRequested, PaymentLookRequested, PayoutLookRequested
from workers.gateways.stripe_listing import Movement, Source

Class = Literal[
    "agreed", "missing_here", "missing_there", "differs", "in_transit", "foreign", "unreachable"
]
#: The classes that need nobody: both sides are right.
EXPLAINED: Final = frozenset({"agreed", "in_transit", "foreign"})

#: A payout that is on its way is booked when it arrives, or never (Stripe, "Payout statuses").
_ON_ITS_WAY: Final = ("pending", "in_transit")
#: Ids of objects that payments looks at (Stripe's prefixes; `py_` and `pyr_` are of bank debits).
_OF_PAYMENTS: Final = ("pi_", "ch_", "py_", "re_", "pyr_", "dp_", "du_", "pdp_")
#: Objects that are about a charge: whose it is decides whose they are.
ABOUT_A_CHARGE: Final = ("refund", "dispute")

#: How far back the frequent run goes at least and at most: whole days of Stripe's time.
OVERLAP: Final = timedelta(days=1)
WINDOW_MAX: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Booked:
    """A balance transaction as it was booked, its funds summed up.

    `recorded_minor` is what the ledger recorded in `Assets:Stripe`, None until all entries are
    there; `entries_agree` says that each fund's entry moved what was asked for that fund.
    """

    id: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    recorded_minor: int | None
    entries_agree: bool
    category: str
    source: str
    entry: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One movement with both sides as they were found, and what they amount to."""

    id: str
    of_class: Class
    reason: str
    stripe: Movement | None
    booked: Booked | None

    @property
    def stripe_net_minor(self) -> int:
        """What Stripe moved."""
        return self.stripe.net_minor if self.stripe else 0

    @property
    def ledger_net_minor(self) -> int:
        """What the ledger recorded: nothing while the entry waits."""
        return (self.booked.recorded_minor or 0) if self.booked else 0

    @property
    def shown(self) -> Movement | Booked:
        """The side that is there, Stripe's before ours."""
        shown = self.stripe or self.booked
        assert shown is not None
        return shown

    @property
    def at(self) -> datetime:
        """Stripe's time of the movement."""
        return self.stripe.created if self.stripe else self._booked().occurred_at

    def _booked(self) -> Booked:
        assert self.booked is not None
        return self.booked


def judge(stripe: Movement | None, booked: Booked | None, foreign: str | None = None) -> Item:
    """The class of one movement; `foreign` is why it is not about a gift of ours, if it is not."""
    shown = stripe or booked
    assert shown is not None, "a movement is shown by one side at least"
    of_class, reason = _class_of(stripe, booked, foreign)
    return Item(shown.id, of_class, reason, stripe, booked)


def _class_of(
    stripe: Movement | None, booked: Booked | None, foreign: str | None
) -> tuple[Class, str]:
    if stripe is None:
        return "missing_there", "not_at_stripe"
    if booked is None:
        if foreign is not None:
            return "foreign", foreign
        if _is_on_its_way(stripe):
            return "in_transit", str(stripe.object.status if stripe.object else "pending")
        return "missing_here", "not_booked"
    if _figures(stripe) != _figures(booked):
        return "differs", "figures"
    if booked.recorded_minor is None:
        return "missing_here", "not_recorded"
    if booked.recorded_minor != stripe.net_minor or not booked.entries_agree:
        return "differs", "entry"
    return "agreed", ""


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


def _figures(of: Movement | Booked) -> tuple[str, int, int, int]:
    return of.currency, of.amount_minor, of.fee_minor, of.net_minor


def _is_on_its_way(stripe: Movement) -> bool:
    source = stripe.object
    return (
        stripe.category == "payout"
        and source is not None
        and source.kind == "payout"
        and source.status in _ON_ITS_WAY
    )


def foreign_reason(charge: Source | None, organization: str) -> str | None:
    """Why a charge is none of ours, from its metadata; None when it is ours, or nobody knows."""
    if charge is None:
        return None
    if charge.donation is None:
        return "no_donation"
    try:
        parse_type_id("don", charge.donation)
    except ValueError:
        return "no_donation"
    return None if charge.organization == organization else "other_organization"


def look_at(account: str, item: Item) -> LookRequested | None:
    """The look that heals an item, if one can."""
    if item.of_class != "missing_here" or item.reason != "not_booked":
        return None
    source = item.shown.source
    if source is not None and source.startswith(_OF_PAYMENTS):
        return PaymentLookRequested(account=account, object=source, reason="unbooked_movement")
    found = source if source is not None and source.startswith("po_") else item.id
    return PayoutLookRequested(account=account, object=found, reason="unbooked_movement")


def look_for_event(
    account: str, event_type: str, found: str | None
) -> LookRequested | Literal["accounts"] | None:
    """What an event that was not delivered asks to be looked at; None when no worker handles it."""
    subject = event_type.partition(".")[0]
    if subject in {"account", "capability"}:
        return "accounts"
    if found is None:
        return None
    if found.startswith(_OF_PAYMENTS):
        return PaymentLookRequested(account=account, object=found, reason="undelivered_event")
    if subject == "payout" and found.startswith("po_"):
        return PayoutLookRequested(account=account, object=found, reason="undelivered_event")
    return None


def look_for_stuck(account: str, found: str, *, is_known: bool) -> LookRequested:
    """The look at something on its way for too long, or (not `is_known`) never heard of again."""
    of_payments = found.startswith(_OF_PAYMENTS)
    kind = PaymentLookRequested if of_payments else PayoutLookRequested
    reason: Literal["stuck", "unknown_outcome"] = "stuck" if is_known else "unknown_outcome"
    return kind(account=account, object=found, reason=reason)


def window_start(newest: datetime, oldest_open: datetime | None) -> datetime:
    """From which day on the frequent run compares: whole days, those of open items included."""
    earliest = newest - OVERLAP
    if oldest_open is not None:
        earliest = min(earliest, max(oldest_open, newest - WINDOW_MAX))
    return datetime(earliest.year, earliest.month, earliest.day, tzinfo=UTC)


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
