"""What comes after a payment: refunds and disputes, as Stripe shows them, booked and told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.identifiers import caused_id
from contracts.message import BodyT, Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from topics.topic import Topic
from workers.gateways.stripe_disputes import Dispute, fetch_dispute, list_disputes
from workers.gateways.stripe_objects import AccessRevoked, Missing
from workers.gateways.stripe_refunds import Refund, fetch_refund, list_refunds
from workers.payments import (
    bookings,
    decisions_disputes,
    decisions_refunds,
    store_disputes,
    store_movements,
    store_refunds,
)
from workers.payments.bookings import Booking, Origin
from workers.payments.decisions import Captured, Ignored
from workers.payments.origins import origin_of
from workers.payments.resources import Payments
from workers.payments.store_movements import Movement
from workers.runtime.worker import Transaction, Transient


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Refunds and disputes of one charge, seen by a look that began at `seen_at`."""

    origin: Origin
    seen_at: datetime
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether any of them moved money so far."""
        return any(each.balance_transaction is not None for each in self.refunds) or any(
            each.balance_transactions for each in self.disputes
        )


async def look_at_refund(
    message: Envelope[StripeEventReceived], payments: Payments
) -> Aftermath | Ignored:
    """One refund, with its charge."""
    seen_at = payments.now()
    refund = await fetch_refund(payments.stripe, message.body.account, message.body.object)
    if isinstance(refund, Missing | AccessRevoked):
        return _unseen(refund)
    origin = await origin_of(message, payments, refund.charge)
    if isinstance(origin, Ignored):
        return origin
    return _bookable(Aftermath(origin, seen_at, (refund,)))


async def look_at_dispute(
    message: Envelope[StripeEventReceived], payments: Payments
) -> Aftermath | Ignored:
    """One dispute, with its charge."""
    seen_at = payments.now()
    dispute = await fetch_dispute(payments.stripe, message.body.account, message.body.object)
    if isinstance(dispute, Missing | AccessRevoked):
        return _unseen(dispute)
    origin = await origin_of(message, payments, dispute.charge)
    if isinstance(origin, Ignored):
        return origin
    return _bookable(Aftermath(origin, seen_at, disputes=(dispute,)))


async def look_at_charge(
    message: Envelope[StripeEventReceived], payments: Payments, captured: Captured | None = None
) -> Aftermath | Ignored | None:
    """All refunds and disputes of a charge; None when it has none.

    `captured` is what the same look shows of its payment, if that is news.
    """
    seen_at, charge = payments.now(), message.body.object
    refunds = await list_refunds(payments.stripe, message.body.account, charge)
    if isinstance(refunds, Missing | AccessRevoked):
        return _unseen(refunds)
    disputes = await list_disputes(payments.stripe, message.body.account, charge)
    if isinstance(disputes, Missing | AccessRevoked):
        return _unseen(disputes)
    if not refunds and not disputes:
        return None
    about = refunds[0].charge if refunds else disputes[0].charge
    origin = await origin_of(message, payments, about, captured)
    if isinstance(origin, Ignored):
        return origin
    return _bookable(Aftermath(origin, seen_at, tuple(refunds), tuple(disputes)))


def _bookable(seen: Aftermath) -> Aftermath:
    """Transient when money moved of a gift whose own is not booked: it may go to another fund."""
    if not seen.origin.is_booked and seen.moved:
        raise Transient("the payment of this gift is not booked yet")
    return seen


def _unseen(answer: Missing | AccessRevoked) -> Ignored:
    return Ignored("not_found" if isinstance(answer, Missing) else "access_revoked")


async def record(
    found: Sequence[tuple[Envelope[Any], Aftermath]], transaction: Transaction
) -> None:
    """Keep what is new, tell it, and request the entries of what was not booked yet."""
    for message, seen in sorted(found, key=lambda each: each[1].origin.gift.donation):
        for refund in sorted(seen.refunds, key=lambda each: each.id):
            await _record_refund(message, seen, refund, transaction)
        for dispute in sorted(seen.disputes, key=lambda each: each.id):
            await _record_dispute(message, seen, dispute, transaction)


async def _record_refund(
    message: Envelope[Any], seen: Aftermath, refund: Refund, transaction: Transaction
) -> None:
    known = await store_refunds.lock(transaction.connection, seen.origin, refund)
    booked = bookings.of_refund(seen.origin, refund, known.id)
    await _request(message, seen.origin, booked, transaction)
    news = decisions_refunds.learn(known, refund, booked, seen.seen_at)
    if news is not None:
        await tell_refund(message, news, transaction)


async def tell_refund(
    message: Envelope[Any], news: decisions_refunds.Known, transaction: Transaction
) -> None:
    """Keep and tell what is new of a refund."""
    await store_refunds.keep(transaction.connection, news)
    fact = decisions_refunds.fact(news)
    _tell(message, registry.REFUNDS_CHANGED, fact, news.id, news.version, transaction)


async def _record_dispute(
    message: Envelope[Any], seen: Aftermath, dispute: Dispute, transaction: Transaction
) -> None:
    origin = seen.origin
    name = decisions_disputes.name_of(origin.account, dispute)
    known = await store_disputes.lock(transaction.connection, origin.organization, name)
    news, booked = decisions_disputes.learn(known, origin, dispute, seen.seen_at)
    await _request(message, origin, booked, transaction)
    if news is not None:
        await store_disputes.keep(transaction.connection, news)
        fact = decisions_disputes.fact(news)
        _tell(message, registry.DISPUTES_CHANGED, fact, news.id, news.version, transaction)


async def _request(
    message: Envelope[Any], origin: Origin, booked: Sequence[Booking], transaction: Transaction
) -> None:
    """Request entries: those of movements that are new, and every adjustment."""
    movements = [_movement(origin, one) for one in booked if one.movement is not None]
    new = await store_movements.book(transaction.connection, movements)
    for one in booked:
        if one.movement is None:
            transaction.send(registry.ENTRIES_REQUESTED, one.entry, cause=message, id=one.id)
        elif one.movement.id in new:
            occurred = one.movement.created
            transaction.send(
                registry.ENTRIES_REQUESTED, one.entry, cause=message, id=one.id, time=occurred
            )


def _movement(origin: Origin, booking: Booking) -> Movement:
    moved = booking.movement
    assert moved is not None
    return Movement(
        organization=origin.organization,
        account=origin.account,
        balance_transaction=moved.id,
        category=moved.category,
        source=booking.source,
        donation=origin.gift.donation,
        fund=origin.gift.fund,
        currency=moved.currency,
        amount_minor=moved.amount_minor,
        fee_minor=moved.fee_minor + moved.platform_fee_minor,
        net_minor=moved.net_minor,
        entry=booking.entry_id,
        occurred_at=moved.created,
    )


def _tell(
    message: Envelope[Any],
    topic: Topic[BodyT],
    fact: BodyT,
    name: str,
    version: int,
    transaction: Transaction,
) -> None:
    identifier = caused_id(message.id, f"{topic.name}/{name}", version)
    transaction.send(topic, fact, cause=message, id=identifier)
