"""The events that each fact makes. Pure: no await, no clock, no database.

An event's object is what its fact says, and nothing that identifies a person; whoever wants the
whole resource asks for it. Ids derive from the fact, or from what happens once for an object
whatever tells of it, so that no order and no repetition makes an event twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contracts.disputes import DisputeChanged
from contracts.donations import DonationRequested
from contracts.entries import EntryRecorded
from contracts.events import ResourceChanged
from contracts.identifiers import business_id, caused_id, type_id
from contracts.message import Body, Envelope
from contracts.messages import MessageRefused
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from contracts.refunds import RefundChanged
from contracts.stripe_events import StripeEventReceived
from topics.registry import ENTRIES_REQUESTED

_DISPUTE_OVER: Final = frozenset({"won", "lost", "warning_closed"})
#: Kinds of entries that are about a payout.
_PAYOUTS: Final = {"payout": "payout.paid", "payout_failed": "payout.failed"}
#: Stripe's events that are told as they are: that something can be looked at.
_OF_STRIPE: Final = {
    "account.updated": ("account.updated", "stripe_account"),
    "payout.created": ("payout.created", "payout"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened; `object` has JSON values only."""

    id: str
    organization: str
    type: str
    subject: str
    time: datetime
    object: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """A request that will never be an entry."""

    entry_id: str
    organization: str
    code: str
    reason: str
    time: datetime


def promised(message: Envelope[DonationRequested]) -> list[Event]:
    """A gift was promised."""
    return [_of_gift(message, "donation.created", _gift(message.body, "pending"))]


def processing(message: Envelope[PaymentProcessing]) -> list[Event]:
    """Its money is on its way."""
    return [_of_gift(message, "donation.processing", _step(message.body, "processing"))]


def action_required(message: Envelope[PaymentActionRequired]) -> list[Event]:
    """Its donor must confirm."""
    return [_of_gift(message, "donation.requires_action", _step(message.body, "requires_action"))]


def failed(message: Envelope[PaymentFailed]) -> list[Event]:
    """An attempt failed."""
    body = message.body
    failure = {name: getattr(body, name) for name in ("code", "decline_code")}
    value = _step(body, "failed") | {"failure": failure}
    return [_of_gift(message, "donation.failed", value)]


def closed(message: Envelope[PaymentClosed]) -> list[Event]:
    """It will never be paid."""
    body = message.body
    value = {"id": body.donation, "object": "donation", "status": body.reason}
    return [_of_gift(message, f"donation.{body.reason}", value)]


def captured(message: Envelope[PaymentCaptured]) -> list[Event]:
    """Its money is there, with the figures of the balance transaction."""
    body = message.body
    settled = ("gross_minor", "fee_minor", "platform_fee_minor", "net_minor", "settlement_currency")
    value = _gift(body.donation, "captured") | {
        "payment_intent": body.payment_intent,
        "settlement": {name: getattr(body, name) for name in settled},
    }
    return [_of_gift(message, "donation.completed", value)]


def refunded(message: Envelope[RefundChanged]) -> list[Event]:
    """A refund changed; the first that succeeded is also the gift's."""
    body = message.body
    value = {"id": body.refund, "object": "refund", "organization": message.organization}
    value |= _picked(
        body, "donation", "version", "status", "amount_minor", "currency", "reason", "code", "entry"
    )
    kind = "refund.created" if body.version == 1 else "refund.updated"
    events = [_event(message, kind, body.refund, value)]
    if body.status == "succeeded":
        gift = {"id": body.donation, "object": "donation", "refund": value}
        events.append(_once(message, "donation.refunded", body.refund, body.created_at, gift))
    return events


def disputed(message: Envelope[DisputeChanged]) -> list[Event]:
    """A dispute changed; its beginning is also the gift's, an end is told once."""
    body = message.body
    value = {"id": body.dispute, "object": "dispute", "organization": message.organization}
    value |= _picked(
        *(body, "donation", "version", "status", "reason", "amount_minor", "withdrawn_minor"),
        "currency",
    )
    kind = "dispute.created" if body.version == 1 else "dispute.updated"
    events = [_event(message, kind, body.dispute, value)]
    gift = {"id": body.donation, "object": "donation", "dispute": value}
    events.append(_once(message, "donation.disputed", body.dispute, body.created_at, gift))
    if body.status in _DISPUTE_OVER:
        key = f"{body.dispute}/{body.status}"
        events.append(_once(message, "dispute.closed", key, body.created_at, value))
    return events


def recorded(message: Envelope[EntryRecorded]) -> list[Event]:
    """An entry is in the ledger; some say that a payout arrived or came back."""
    body = message.body
    value = {"id": body.entry_id, "object": "entry", "organization": message.organization}
    value |= _picked(body, "kind", "log", "index", "seq", "leaf_hash", "subject")
    events = [_event(message, "entry.recorded", body.entry_id, value)]
    if body.kind in _PAYOUTS and body.subject is not None:
        kind = _PAYOUTS[body.kind]
        payout = {"id": body.subject, "object": "payout", "entry": body.entry_id}
        events.append(_event(message, kind, body.subject, payout))
    return events


def told_by_stripe(message: Envelope[StripeEventReceived]) -> list[Event]:
    """Stripe says that an account or a payout can be looked at."""
    body = message.body
    if body.event_type not in _OF_STRIPE:
        return []
    kind, noun = _OF_STRIPE[body.event_type]
    value = {"id": body.object, "object": noun, "account": body.account}
    return [_event(message, kind, body.object, value)]


def changed(message: Envelope[ResourceChanged]) -> list[Event]:
    """The edge says so itself."""
    body = message.body
    return [_event(message, body.event, body.subject, body.object)]


def refused(message: Envelope[MessageRefused]) -> list[Event]:
    """The ledger refused an entry; other refusals are affairs of the platform's own."""
    refusal = refused_entry(message)
    if refusal is None:
        return []
    value = {"id": refusal.entry_id, "object": "entry", "status": "refused", "code": refusal.code}
    return [_event(message, "entry.refused", refusal.entry_id, value | {"reason": refusal.reason})]


def refused_entry(message: Envelope[MessageRefused]) -> RefusedEntry | None:
    """The entry that will never be; None when another message was refused."""
    body = message.body
    if body.topic != ENTRIES_REQUESTED.name:
        return None
    entry = type_id("ent", body.message)
    return RefusedEntry(entry, message.organization, body.code, body.reason, message.time)


def unique(events: Iterable[Event]) -> list[Event]:
    """The first of each id, ordered by organization, so that batches wait for one another."""
    first: dict[tuple[str, str], Event] = {}
    for event in events:
        first.setdefault((event.organization, event.id), event)
    return sorted(first.values(), key=lambda event: event.organization)


def _gift(gift: DonationRequested, status: str) -> dict[str, Any]:
    names = ("fund", "amount_minor", "charge_amount_minor", "currency", "covers_fee", "campaign")
    told = {"id": gift.donation, "object": "donation", "status": status}
    return told | _picked(gift, *names, "collected_by", "visibility")


def _step(
    body: PaymentProcessing | PaymentActionRequired | PaymentFailed, status: str
) -> dict[str, Any]:
    return {
        "id": body.donation,
        "object": "donation",
        "status": status,
        "attempt": body.attempt,
    }


def _picked(body: Body, *names: str) -> dict[str, Any]:
    return {name: getattr(body, name) for name in names}


def _of_gift(message: Envelope[Any], kind: str, value: dict[str, Any]) -> Event:
    return _event(message, kind, value["id"], value | {"organization": message.organization})


def _event(message: Envelope[Any], kind: str, subject: str, value: dict[str, Any]) -> Event:
    identifier = type_id("evt", caused_id(message.id, kind))
    return Event(identifier, message.organization, kind, subject, message.time, value)


def _once(
    message: Envelope[Any], kind: str, key: str, created: datetime, value: dict[str, Any]
) -> Event:
    """An event that many facts tell of, and that happens once for `key`."""
    identifier = type_id("evt", business_id(created, f"{kind}:{key}"))
    whole = value | {"organization": message.organization}
    return Event(identifier, message.organization, kind, value["id"], message.time, whole)
