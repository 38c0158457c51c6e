"""Ask the ledger to record each captured payment with its actual fees."""

from collections.abc import Sequence

from contracts.message import Envelope
from contracts.payments import PaymentCaptured
from topics import registry
from workers.fees import decisions
from workers.runtime.worker import Decide, Transaction, Worker


async def request_entries(
    messages: Sequence[Envelope[PaymentCaptured]], transaction: Transaction
) -> None:
    """One donation entry for each captured payment."""
    for message in messages:
        entry = decisions.donation_entry(message.body)
        transaction.send(registry.ENTRIES_REQUESTED, entry, cause=message)


WORKER = Worker(name="fees", routes=[Decide(registry.PAYMENTS_CAPTURED, request_entries)])
