"""What each fact says about a gift. Pure: no await, no clock, no database.

Facts combine by the highest step, the newest failure, and the first value of every other column,
each of which only one kind of fact fills. So any order and any repetition end in the same row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from contracts.donations import DonationRequested
from contracts.entries import EntryRecorded
from contracts.message import Envelope
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)

Status = Literal[
    "pending",
    "requires_action",
    "processing",
    "failed",
    "canceled",
    "expired",
    "captured",
    "recorded",
]
#: Within one attempt, in order.
_OF_ATTEMPT: Final = ("pending", "requires_action", "processing", "failed")
#: What ends a gift, in order, above whatever its attempts say.
_FINAL: Final = ("canceled", "expired", "captured", "recorded")
_FINAL_STEP: Final = 1_000_000
#: What is told of the failure of the newest attempt that failed.
OF_FAILURE: Final = frozenset(
    {"failed_attempt", "failure_code", "decline_code", "minimum_minor", "minimum_currency"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row as far as some facts know it; `updated_at` is when the latest of them happened.

    `attempt` is the highest that is known to have begun.
    """

    organization: str
    id: str
    status: Status
    updated_at: datetime
    attempt: int | None = None
    amount_minor: int | None = None
    charge_amount_minor: int | None = None
    currency: str | None = None
    fund: str | None = None
    covers_fee: bool | None = None
    campaign: str | None = None
    failed_attempt: int | None = None
    failure_code: str | None = None
    decline_code: str | None = None
    minimum_minor: int | None = None
    minimum_currency: str | None = None
    payment_intent: str | None = None
    entry_id: str | None = None
    log: int | None = None
    index: int | None = None
    seq: int | None = None
    created_at: datetime | None = None

    @property
    def step(self) -> int:
        """What orders statuses: ten for each attempt, and far above them what ends the gift."""
        if self.status in _FINAL:
            return _FINAL_STEP + _FINAL.index(self.status)
        return 10 * (self.attempt or 0) + _OF_ATTEMPT.index(self.status)


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
        campaign=gift.campaign,
        created_at=message.time,
    )


def processing(message: Envelope[PaymentProcessing]) -> Change:
    """Stripe took the payment."""
    return _trying(message, "processing")


def action_required(message: Envelope[PaymentActionRequired]) -> Change:
    """The donor must confirm, on the client or with their bank."""
    return _trying(message, "requires_action")


def captured(message: Envelope[PaymentCaptured]) -> Change:
    """The money is there."""
    return Change(
        organization=message.organization,
        id=message.body.donation.donation,
        status="captured",
        updated_at=message.time,
        payment_intent=message.body.payment_intent,
    )


def failed(message: Envelope[PaymentFailed]) -> Change:
    """The attempt ended without money."""
    failure = message.body
    return Change(
        organization=message.organization,
        id=failure.donation,
        status="failed",
        updated_at=message.time,
        attempt=failure.attempt,
        failed_attempt=failure.attempt,
        failure_code=failure.code,
        decline_code=failure.decline_code,
        minimum_minor=failure.minimum_minor,
        minimum_currency=failure.minimum_currency,
    )


def closed(message: Envelope[PaymentClosed]) -> Change:
    """The gift will never be paid."""
    return Change(
        organization=message.organization,
        id=message.body.donation,
        status=message.body.reason,
        updated_at=message.time,
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


def _trying(
    message: Envelope[PaymentProcessing] | Envelope[PaymentActionRequired], status: Status
) -> Change:
    return Change(
        organization=message.organization,
        id=message.body.donation,
        status=status,
        updated_at=message.time,
        attempt=message.body.attempt,
        payment_intent=message.body.payment_intent,
    )


def fold(changes: Iterable[Change]) -> list[Change]:
    """One change for each gift, sorted, so that two batches take their locks in one order."""
    folded: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = change.organization, change.id
        folded[key] = _combine(folded[key], change) if key in folded else change
    return [folded[key] for key in sorted(folded)]


def _combine(one: Change, other: Change) -> Change:
    newest = max(one, other, key=lambda change: change.failed_attempt or 0)
    values: dict[str, Any] = {}
    for column in fields(Change):
        known = getattr(one, column.name)
        values[column.name] = getattr(other, column.name) if known is None else known
        if column.name in OF_FAILURE:
            values[column.name] = getattr(newest, column.name)
    values["status"] = max(one, other, key=lambda change: change.step).status
    values["attempt"] = max(one.attempt or 0, other.attempt or 0) or None
    values["updated_at"] = max(one.updated_at, other.updated_at)
    return Change(**values)
