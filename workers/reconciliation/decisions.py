"""What Stripe and the ledger say of one movement, side by side. Pure: no await, clock, database.

Rules: every movement that one side shows is in exactly one class, and what the sides' sums differ
by is the sum of what is not `agreed`, to the cent. `in_transit` and `foreign` are explained; the
other classes are differences. Nothing is corrected here: the workers that book are asked to look.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from contracts.identifiers import parse_type_id
from contracts.looks import LookRequested, PaymentLookRequested, PayoutLookRequested
from workers.gateways.stripe_listing import Movement, Source

Class = Literal[
    "agreed", "missing_here", "missing_there", "differs", "in_transit", "foreign", "unreachable"
]
#: The classes that need nobody: both sides are right.
EXPLAINED: Final = frozenset({"agreed", "in_transit", "foreign"})

#: Why a movement is of others that payouts found to be so, whole or in part.
SHARED: Final = "shared"

#: A payout that is on its way is booked when it arrives, or never (Stripe, "Payout statuses").
_ON_ITS_WAY: Final = ("pending", "in_transit")
#: A bank debit is on the balance before the bank has said yes; after its no, a `charge_failure`
#: takes all of it back (Stripe, "Reporting categories"). Neither is a gift, so neither is booked.
_UNPAID: Final = ("pending", "failed")
#: Ids of objects that payments looks at (Stripe's prefixes; `py_` and `pyr_` are of bank debits).
_OF_PAYMENTS: Final = ("pi_", "ch_", "py_", "re_", "pyr_", "dp_", "du_")
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


def judge(
    stripe: Movement | None,
    booked: Booked | None,
    foreign: str | None = None,
    foreign_minor: int = 0,
) -> Item:
    """The class of one movement.

    `foreign` is why it is not about a gift of ours, if it is not; `foreign_minor` what of its net
    is known to be of others though the rest was booked: a payout of money of several shops.
    """
    shown = stripe or booked
    assert shown is not None, "a movement is shown by one side at least"
    of_class, reason = _class_of(stripe, booked, foreign, foreign_minor)
    return Item(shown.id, of_class, reason, stripe, booked)


def _class_of(
    stripe: Movement | None, booked: Booked | None, foreign: str | None, foreign_minor: int
) -> tuple[Class, str]:
    if stripe is None:
        return "missing_there", "not_at_stripe"
    if booked is None:
        if foreign is not None:
            return "foreign", foreign
        if _is_on_its_way(stripe):
            return "in_transit", str(stripe.object.status if stripe.object else "pending")
        return "missing_here", "not_booked"
    if foreign_minor:
        ours = (stripe.currency, stripe.net_minor - foreign_minor)
        is_same = ours == (booked.currency, booked.net_minor)
    else:
        is_same = _figures(stripe) == _figures(booked)
    if not is_same:
        return "differs", "figures"
    if booked.recorded_minor is None:
        return "missing_here", "not_recorded"
    if booked.recorded_minor != booked.net_minor or not booked.entries_agree:
        return "differs", "entry"
    return ("foreign", SHARED) if foreign_minor else ("agreed", "")


def _figures(of: Movement | Booked) -> tuple[str, int, int, int]:
    return of.currency, of.amount_minor, of.fee_minor, of.net_minor


def _is_on_its_way(stripe: Movement) -> bool:
    source = stripe.object
    if source is None:
        return False
    if stripe.category == "payout":
        return source.kind == "payout" and source.status in _ON_ITS_WAY
    return source.kind == "charge" and source.status in _UNPAID


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
    return None if charge.organization == organization else "account_mismatch"


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


def look_for_stuck(account: str, found: str, *, is_known: bool) -> LookRequested | None:
    """The look at something on its way for too long, or (not `is_known`) never heard of again.

    None for what has no object at Stripe yet.
    """
    reason: Literal["stuck", "unknown_outcome"] = "stuck" if is_known else "unknown_outcome"
    if found.startswith(_OF_PAYMENTS):
        return PaymentLookRequested(account=account, object=found, reason=reason)
    if found.startswith("po_"):
        return PayoutLookRequested(account=account, object=found, reason=reason)
    return None


def window_start(newest: datetime, oldest_open: datetime | None) -> datetime:
    """From which day on the frequent run compares: whole days, those of open items included."""
    earliest = newest - OVERLAP
    if oldest_open is not None:
        earliest = min(earliest, max(oldest_open, newest - WINDOW_MAX))
    return datetime(earliest.year, earliest.month, earliest.day, tzinfo=UTC)
