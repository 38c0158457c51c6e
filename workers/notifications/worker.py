"""Thank a donor by mail, once, when the gift is in the ledger."""

from collections.abc import Sequence

from contracts.entries import EntryRecorded
from contracts.message import Envelope
from topics import registry
from topics.failpoints import reach
from workers.notifications import decisions, store
from workers.notifications.decisions import Settled
from workers.notifications.resources import Notifications, open_notifications
from workers.runtime.worker import Act, Transaction, Worker


async def thank(message: Envelope[EntryRecorded], notifications: Notifications) -> Settled | None:
    """Send the mail of a recorded gift; None when there is nothing to keep."""
    entry = message.body
    if entry.kind != "donation":
        return None
    if not decisions.concerns_donor(entry):
        return Settled("nothing_to_send")
    material = await notifications.load((message.organization, entry.entry_id))
    if material is None or material.settled:
        return None
    recipient = notifications.recipient(material)
    if recipient is None:
        return Settled("nothing_to_send")
    mail = decisions.thanks(
        message,
        recipient=recipient,
        organization=material.organization,
        gift=decisions.gift_of(entry, material.money),
        letterhead=notifications.letterhead,
    )
    refusal = await notifications.mail.send(mail)
    reach("notifications.sent")
    return Settled("sent") if refusal is None else Settled("refused", refusal)


async def record(
    outcomes: Sequence[tuple[Envelope[EntryRecorded], Settled | None]], transaction: Transaction
) -> None:
    """Keep that these mails are settled."""
    settled = [(message, outcome) for message, outcome in outcomes if outcome is not None]
    await store.settle(transaction.connection, settled)


WORKER = Worker(
    name="notifications",
    routes=[Act(registry.ENTRIES_RECORDED, thank, record)],
    gather_s=0.25,  # Nobody waits for it: fewer, larger batches.
    resources=open_notifications,
)
