"""Tell a donor by mail, once, when the gift or a refund is in the ledger; bring invitations."""

from collections.abc import Sequence

from contracts.entries import EntryRecorded
from contracts.invitations import InvitationMailRequested
from contracts.message import Envelope
from topics import registry
from topics.failpoints import reach
from workers.notifications import decisions, store
from workers.notifications.decisions import Settled
from workers.notifications.resources import Notifications, open_notifications
from workers.runtime.worker import Act, Transaction, Worker


async def tell(message: Envelope[EntryRecorded], notifications: Notifications) -> Settled | None:
    """Send the mail of a recorded gift or refund; None when there is nothing to keep."""
    entry = message.body
    if entry.kind not in ("donation", "refund"):
        return None
    of_donor = decisions.entry_of_donor(entry)
    if of_donor is None:
        return Settled("nothing_to_send")
    material = await notifications.load((message.organization, entry.entry_id, of_donor))
    if material is None or material.settled:
        return None
    recipient = notifications.recipient(material)
    if recipient is None:
        return Settled("nothing_to_send")
    mail = decisions.mail_of(
        message,
        recipient=recipient,
        organization=material.organization,
        amount=decisions.amount_of(entry, material.money),
        letterhead=notifications.letterhead,
    )
    refusal = await notifications.mail.send(mail)
    reach("notifications.sent")
    return Settled("sent") if refusal is None else Settled("refused", refusal)


async def record(
    outcomes: Sequence[tuple[Envelope[EntryRecorded], Settled | None]], transaction: Transaction
) -> None:
    """Keep that these mails are settled."""
    settled = [
        (message.organization, message.body.entry_id, outcome)
        for message, outcome in outcomes
        if outcome is not None
    ]
    await store.settle(transaction.connection, settled)


async def invite(
    message: Envelope[InvitationMailRequested], notifications: Notifications
) -> Settled | None:
    """Send the mail of an invitation; None when it was sent, or the invitation is over."""
    invitation = await notifications.invitation(message.organization, message.body.invitation)
    if invitation is None:
        return None
    mail = decisions.invitation(message, invitation, letterhead=notifications.letterhead)
    refusal = await notifications.mail.send(mail)
    reach("notifications.sent")
    return Settled("sent") if refusal is None else Settled("refused", refusal)


async def record_invitations(
    outcomes: Sequence[tuple[Envelope[InvitationMailRequested], Settled | None]],
    transaction: Transaction,
) -> None:
    """Keep that these mails are settled."""
    settled = [
        (message.organization, message.body.invitation, outcome)
        for message, outcome in outcomes
        if outcome is not None
    ]
    await store.settle(transaction.connection, settled)


WORKER = Worker(
    name="notifications",
    routes=[
        Act(registry.ENTRIES_RECORDED, tell, record),
        Act(registry.INVITATIONS_MAIL_REQUESTED, invite, record_invitations),
    ],
    gather_s=0.25,  # Nobody waits for it: fewer, larger batches.
    fetch_wait_s=0.25,
    resources=open_notifications,
)
