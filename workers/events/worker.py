"""Tell whoever listens from outside what happened, in one order for each organization."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts.message import Envelope
from contracts.messages import MessageRefused
from topics import registry
from workers.events import decisions, store
from workers.events.decisions import Event
from workers.runtime.worker import Decide, Transaction, Worker


def telling(
    read: Callable[[Envelope[Any]], list[Event]],
) -> Callable[[Sequence[Envelope[Any]], Transaction], Awaitable[None]]:
    """A handler that appends the events that `read` makes of each message."""

    async def handle(messages: Sequence[Envelope[Any]], transaction: Transaction) -> None:
        events = decisions.unique(event for message in messages for event in read(message))
        await store.append(transaction.connection, events)

    return handle


async def follow_refusals(
    messages: Sequence[Envelope[MessageRefused]], transaction: Transaction
) -> None:
    """Entries that will never be: who booked them sees why."""
    refused = [each for each in map(decisions.refused_entry, messages) if each is not None]
    await store.keep_refused(transaction.connection, refused)
    await telling(decisions.refused)(messages, transaction)


WORKER = Worker(
    name="events",
    routes=[
        Decide(registry.DONATIONS_REQUESTED, telling(decisions.promised)),
        Decide(registry.PAYMENTS_PROCESSING, telling(decisions.processing)),
        Decide(registry.PAYMENTS_ACTION_REQUIRED, telling(decisions.action_required)),
        Decide(registry.PAYMENTS_FAILED, telling(decisions.failed)),
        Decide(registry.PAYMENTS_CLOSED, telling(decisions.closed)),
        Decide(registry.PAYMENTS_CAPTURED, telling(decisions.captured)),
        Decide(registry.ENTRIES_RECORDED, telling(decisions.recorded)),
        Decide(registry.REFUNDS_CHANGED, telling(decisions.refunded)),
        Decide(registry.DISPUTES_CHANGED, telling(decisions.disputed)),
        Decide(registry.STRIPE_EVENTS, telling(decisions.told_by_stripe)),
        Decide(registry.RESOURCES_CHANGED, telling(decisions.changed)),
        Decide(registry.MESSAGES_REFUSED, follow_refusals),
    ],
    gather_s=0.25,  # It hears of everything: fewer, larger batches.
    fetch_wait_s=0.25,
)
