"""Keep the state of every gift, from its promise to its entry in the ledger."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts.disputes import DisputeChanged
from contracts.message import Envelope
from contracts.refunds import RefundChanged
from topics import registry
from workers.donations import decisions, store, store_aftermath
from workers.donations.decisions import Change
from workers.runtime.worker import Decide, Transaction, Worker


def following(
    read: Callable[[Envelope[Any]], Change | None],
) -> Callable[[Sequence[Envelope[Any]], Transaction], Awaitable[None]]:
    """A handler that folds what `read` makes of each message into the gifts' rows."""

    async def handle(messages: Sequence[Envelope[Any]], transaction: Transaction) -> None:
        changes = [change for change in map(read, messages) if change is not None]
        await store.fold_in(transaction.connection, decisions.fold(changes))

    return handle


async def follow_refunds(
    messages: Sequence[Envelope[RefundChanged]], transaction: Transaction
) -> None:
    """What is known of the gifts' refunds."""
    await store_aftermath.fold_refunds(transaction.connection, messages)


async def follow_disputes(
    messages: Sequence[Envelope[DisputeChanged]], transaction: Transaction
) -> None:
    """What is known of the gifts' disputes."""
    await store_aftermath.fold_disputes(transaction.connection, messages)


WORKER = Worker(
    name="donations",
    routes=[
        Decide(registry.DONATIONS_REQUESTED, following(decisions.requested)),
        Decide(registry.PAYMENTS_PROCESSING, following(decisions.processing)),
        Decide(registry.PAYMENTS_ACTION_REQUIRED, following(decisions.action_required)),
        Decide(registry.PAYMENTS_FAILED, following(decisions.failed)),
        Decide(registry.PAYMENTS_CLOSED, following(decisions.closed)),
        Decide(registry.PAYMENTS_CAPTURED, following(decisions.captured)),
        Decide(registry.ENTRIES_RECORDED, following(decisions.recorded)),
        Decide(registry.REFUNDS_CHANGED, follow_refunds),
        Decide(registry.DISPUTES_CHANGED, follow_disputes),
    ],
)
