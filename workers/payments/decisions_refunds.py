"""What is known of a refund, and whether one can be made. Pure: no await, no clock, no database."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, get_args

from contracts.donations import DonationRequested
from contracts.identifiers import business_id, parse_type_id, type_id
from contracts.refunds import RefundChanged, RefundReason, RefundStatus
from workers.gateways.stripe_charges import PaidCharge
from workers.gateways.stripe_refunds import Refund, RefundDenied
from workers.payments.bookings import Booking
from workers.runtime.worker import Refused

Status = Literal["requested"] | RefundStatus

#: A refund moves up only, whatever order its states are seen in; those of one rank by time.
_RANKS: Final[dict[Status, int]] = {
    "requested": 0,
    "refused": 1,
    "pending": 2,
    "requires_action": 2,
    "succeeded": 3,
    "canceled": 4,
    "failed": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A refund as it is stored. `version` counts what was told of it."""

    organization: str
    id: str
    donation: str
    charge: str | None
    stripe_refund: str | None
    status: Status
    amount_minor: int | None
    currency: str
    reason: str | None
    code: str | None = None
    entry: str | None = None
    failure_entry: str | None = None
    version: int = 0
    seen_at: datetime | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A refund that was asked for here, with our figures of the gift, before Stripe is called.

    `called_at` is when Stripe was first called for it, with `amount_minor`; None: not yet.
    `others_minor` is what other refunds of the gift took, or are about to take.
    """

    known: Known
    gift: DonationRequested
    attempt: int
    called_at: datetime | None
    returns_platform_fee: bool
    account: str | None
    is_captured: bool
    others_minor: int
    is_disputed: bool

    @property
    def left_minor(self) -> int:
        """What is left of the donor's payment by our figures."""
        return self.gift.charge_amount_minor - self.others_minor


def denied(asked: Asked) -> RefundDenied | None:
    """Why we know that it cannot be, before Stripe is asked; None when it may."""
    if not asked.is_captured or asked.account is None:
        return RefundDenied("not_captured")
    if asked.is_disputed:
        return RefundDenied("dispute_open")
    if asked.left_minor <= 0 or (asked.known.amount_minor or 0) > asked.left_minor:
        return RefundDenied("exceeds_refundable")
    return None


def amount_to_refund(asked: Asked, charge: PaidCharge) -> int | RefundDenied:
    """The amount, all that is left if none was named, by the smaller of our figure and Stripe's."""
    at_stripe_minor = charge.amount_minor - charge.refunded_minor
    left_minor = min(at_stripe_minor, asked.left_minor)
    wanted_minor = asked.known.amount_minor or left_minor
    if left_minor <= 0 or wanted_minor > left_minor:
        return RefundDenied("exceeds_refundable")
    return wanted_minor


def name_of(account: str, refund: Refund) -> str:
    """Our name of a refund that was not asked for here."""
    return type_id("rfd", business_id(refund.created, f"stripe:{account}:refund:{refund.id}"))


def claimed_name(refund: Refund) -> str | None:
    """Our name as the refund's metadata claims it; who has the dashboard may write any there."""
    try:
        parse_type_id("rfd", refund.refund or "")
    except ValueError:
        return None
    return refund.refund


def learn(known: Known, refund: Refund, bookings: list[Booking], seen_at: datetime) -> Known | None:
    """What is known after a look at Stripe's refund that began at `seen_at`; None: nothing new."""
    status = _status_of(refund)
    is_newer = (_RANKS[status], seen_at) >= (_RANKS[known.status], known.seen_at or seen_at)
    entries = {booking.entry.kind: booking.entry_id for booking in bookings}
    news = replace(
        known,
        charge=known.charge or (refund.charge.id if refund.charge is not None else None),
        stripe_refund=refund.id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reason=refund.reason,
        entry=known.entry or entries.get("refund"),
        failure_entry=known.failure_entry or entries.get("refund_failed"),
    )
    if is_newer:
        news = replace(news, status=status, code=refund.why)
    if news == known:
        return None
    return replace(news, version=known.version + 1, seen_at=seen_at if is_newer else known.seen_at)


def refuse(known: Known, why: RefundDenied) -> Known | None:
    """What is known after a final no; None when Stripe has the refund after all."""
    if known.status != "requested":
        return None
    return replace(known, status="refused", code=why.code, version=known.version + 1)


def _status_of(refund: Refund) -> RefundStatus:
    for status in get_args(RefundStatus):
        if status == refund.status and status != "refused":
            found: RefundStatus = status
            return found
    raise Refused("unexpected_status", f"Stripe left the refund in {refund.status}")


def fact(known: Known) -> RefundChanged:
    """The fact to tell of it."""
    assert known.status != "requested"
    reason: RefundReason | str | None = known.reason
    return RefundChanged(
        refund=known.id,
        donation=known.donation,
        version=known.version,
        status=known.status,
        amount_minor=known.amount_minor,
        currency=known.currency,
        reason=reason,
        code=known.code,
        stripe_refund=known.stripe_refund,
        entry=known.entry,
        failure_entry=known.failure_entry,
        created_at=known.created_at,
    )
