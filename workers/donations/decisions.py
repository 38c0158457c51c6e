"""What each fact says about a gift. Pure: no await, no clock, no database.

Facts combine by the highest status and the first value of every other column, each of which only
one kind of fact fills. So any order and any repetition end in the same row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, get_args

from contracts.donations import DonationRequested
from contracts.entries import EntryRecorded
from contracts.message import Envelope
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentFailed,
    PaymentProcessing,
)

#: In rank order.
Status = Literal["pending", "processing", "requires_action", "failed", "captured", "recorded"]
RANKS: Final = {status: rank for rank, status in enumerate(get_args(Status))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row as far as some facts know it; `updated_at` is when the latest of them happened."""

    organization: str
    id: str
    status: Status
    updated_at: datetime
    amount_minor: int | None = None
    charge_amount_minor: int | None = None
    currency: str | None = None
    fund: str | None = None
    covers_fee: bool | None = None
    failure_code: str | None = None
    decline_code: str | None = None
    payment_intent: str | None = None
    entry_id: str | None = None
    log: int | None = None
    index: int | None = None
    seq: int | None = None
    created_at: datetime | None = None


def requested(message: Envelope[DonationRequested]) -> Change:
    """A gift was promised."""
    gift = message.body
    return Change(
        organization=message.organization,
        id=gift.donation,
        status="pending",
        updated_at=message.time,
        amount_minor=gift.amount_minor,
        charge_amount_minor=gift.charge_amount_minor,
        currency=gift.currency,
        fund=gift.fund,
        covers_fee=gift.covers_fee,
        created_at=message.time,
    )


def processing(message: Envelope[PaymentProcessing]) -> Change:
    """Stripe took the payment."""
    return _paying(message, "processing", message.body.donation, message.body.payment_intent)


def action_required(message: Envelope[PaymentActionRequired]) -> Change:
    """The donor must confirm with their bank."""
    return _paying(message, "requires_action", message.body.donation, message.body.payment_intent)


def captured(message: Envelope[PaymentCaptured]) -> Change:
    """The money is there."""
    paid = message.body
    return _paying(message, "captured", paid.donation.donation, paid.payment_intent)


def failed(message: Envelope[PaymentFailed]) -> Change:
    """The attempt ended without money."""
    return Change(
        organization=message.organization,
        id=message.body.donation,
        status="failed",
        updated_at=message.time,
        failure_code=message.body.code,
        decline_code=message.body.decline_code,
    )


def recorded(message: Envelope[EntryRecorded]) -> Change | None:
    """The gift's entry is in the ledger; None for entries that are no gift's."""
    entry = message.body
    if entry.kind != "donation" or entry.subject is None:
        return None
    return Change(
        organization=message.organization,
        id=entry.subject,
        status="recorded",
        updated_at=message.time,
        entry_id=entry.entry_id,
        log=entry.log,
        index=entry.index,
        seq=entry.seq,
    )


def _paying(message: Envelope[Any], status: Status, donation: str, payment_intent: str) -> Change:
    return Change(
        organization=message.organization,
        id=donation,
        status=status,
        updated_at=message.time,
        payment_intent=payment_intent,
    )


def fold(changes: Iterable[Change]) -> list[Change]:
    """One change for each gift, sorted, so that two batches take their locks in one order."""
    folded: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = change.organization, change.id
        folded[key] = _combine(folded[key], change) if key in folded else change
    return [folded[key] for key in sorted(folded)]


def _combine(one: Change, other: Change) -> Change:
    values = {
        column.name: getattr(other, column.name)
        if getattr(one, column.name) is None
        else getattr(one, column.name)
        for column in fields(Change)
    }
    values["status"] = max(one.status, other.status, key=RANKS.__getitem__)
    values["updated_at"] = max(one.updated_at, other.updated_at)
    return Change(**values)
