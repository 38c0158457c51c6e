"""Every topic there is, on one screen."""

from typing import Any, Final

from contracts.accounts import AccountRequested
from contracts.checkpoints import CheckpointPublished
from contracts.disputes import DisputeChanged
from contracts.donations import DonationRequested
from contracts.entries import EntryRecorded, EntryRequested
from contracts.events import ResourceChanged
from contracts.invitations import InvitationMailRequested
from contracts.looks import PaymentLookRequested, PayoutLookRequested
from contracts.messages import MessageRefused
from contracts.payments import (
    PaymentActionRequired,
    PaymentAttemptRequested,
    PaymentCancelRequested,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from contracts.permissions import PermissionsRequested
from contracts.refunds import RefundChanged, RefundRequested
from contracts.stripe_events import StripeEventReceived
from topics.topic import Topic

DONATIONS_REQUESTED: Final = Topic(
    name="donations.requested.v1",
    body=DonationRequested,
    kind="fact",
    senders=frozenset({"edge"}),
    key=lambda message: message.body.donation,
)
STRIPE_EVENTS: Final = Topic(
    name="stripe.events.v1",
    body=StripeEventReceived,
    kind="fact",
    senders=frozenset({"edge"}),
    key=lambda message: f"{message.body.account}/{message.body.object}",
)
ACCOUNTS_REQUESTED: Final = Topic(
    name="accounts.requested.v1",
    body=AccountRequested,
    kind="command",
    senders=frozenset({"accounts", "edge", "operations", "reconciliation"}),
    key=lambda message: message.organization,
)
PAYMENTS_LOOK_REQUESTED: Final = Topic(
    name="payments.look_requested.v1",
    body=PaymentLookRequested,
    kind="command",
    senders=frozenset({"operations", "payouts", "reconciliation"}),
    key=lambda message: f"{message.body.account}/{message.body.object}",
)
PAYOUTS_LOOK_REQUESTED: Final = Topic(
    name="payouts.look_requested.v1",
    body=PayoutLookRequested,
    kind="command",
    senders=frozenset({"operations", "payouts", "reconciliation"}),
    key=lambda message: f"{message.body.account}/{message.body.object}",
)
PAYMENTS_ATTEMPT_REQUESTED: Final = Topic(
    name="payments.attempt_requested.v1",
    body=PaymentAttemptRequested,
    kind="command",
    senders=frozenset({"edge"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_CANCEL_REQUESTED: Final = Topic(
    name="payments.cancel_requested.v1",
    body=PaymentCancelRequested,
    kind="command",
    senders=frozenset({"edge", "payments"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_PROCESSING: Final = Topic(
    name="payments.processing.v1",
    body=PaymentProcessing,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_ACTION_REQUIRED: Final = Topic(
    name="payments.action_required.v1",
    body=PaymentActionRequired,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_FAILED: Final = Topic(
    name="payments.failed.v1",
    body=PaymentFailed,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_CLOSED: Final = Topic(
    name="payments.closed.v1",
    body=PaymentClosed,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
PAYMENTS_CAPTURED: Final = Topic(
    name="payments.captured.v1",
    body=PaymentCaptured,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation.donation,
)
REFUNDS_REQUESTED: Final = Topic(
    name="refunds.requested.v1",
    body=RefundRequested,
    kind="command",
    senders=frozenset({"edge"}),
    key=lambda message: message.body.donation,
)
REFUNDS_CHANGED: Final = Topic(
    name="refunds.changed.v1",
    body=RefundChanged,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
DISPUTES_CHANGED: Final = Topic(
    name="disputes.changed.v1",
    body=DisputeChanged,
    kind="fact",
    senders=frozenset({"payments"}),
    key=lambda message: message.body.donation,
)
ENTRIES_REQUESTED: Final = Topic(
    name="entries.requested.v1",
    body=EntryRequested,
    kind="command",
    senders=frozenset({"bookkeeping", "edge", "fees", "operations", "payments", "payouts"}),
    key=lambda message: message.organization,
    partition=lambda message: 0,  # The partition is the log's number; there is one log so far.
    partitions=1,
)
ENTRIES_RECORDED: Final = Topic(
    name="entries.recorded.v1",
    body=EntryRecorded,
    kind="fact",
    senders=frozenset({"bookkeeping"}),
    key=lambda message: message.organization,
    retention_days=90,
)
CHECKPOINTS_PUBLISHED: Final = Topic(
    name="checkpoints.published.v1",
    body=CheckpointPublished,
    kind="fact",
    senders=frozenset({"checkpoints"}),
    key=lambda message: f"{message.body.log}/{message.body.size}",
    partitions=1,
    retention_days=None,
    compacted=True,
)
PERMISSIONS_REQUESTED: Final = Topic(
    name="permissions.requested.v1",
    body=PermissionsRequested,
    kind="command",
    senders=frozenset({"edge"}),
    key=lambda message: message.organization,
)
RESOURCES_CHANGED: Final = Topic(
    name="resources.changed.v1",
    body=ResourceChanged,
    kind="fact",
    senders=frozenset({"edge"}),
    key=lambda message: message.organization,
)
INVITATIONS_MAIL_REQUESTED: Final = Topic(
    name="invitations.mail_requested.v1",
    body=InvitationMailRequested,
    kind="command",
    senders=frozenset({"edge"}),
    key=lambda message: message.body.invitation,
)
MESSAGES_REFUSED: Final = Topic(
    name="messages.refused.v1",
    body=MessageRefused,
    kind="command",
    senders=frozenset(
        {
            "accounts",
            "bookkeeping",
            "donations",
            "events",
            "fees",
            "notifications",
            "payments",
            "payouts",
            "permissions",
        }
    ),
    key=lambda message: message.organization,
)

TOPICS: Final[dict[str, Topic[Any]]] = {
    topic.name: topic
    for topic in (
        DONATIONS_REQUESTED,
        STRIPE_EVENTS,
        ACCOUNTS_REQUESTED,
        PAYMENTS_LOOK_REQUESTED,
        PAYOUTS_LOOK_REQUESTED,
        PAYMENTS_ATTEMPT_REQUESTED,
        PAYMENTS_CANCEL_REQUESTED,
        PAYMENTS_PROCESSING,
        PAYMENTS_ACTION_REQUIRED,
        PAYMENTS_FAILED,
        PAYMENTS_CLOSED,
        PAYMENTS_CAPTURED,
        REFUNDS_REQUESTED,
        REFUNDS_CHANGED,
        DISPUTES_CHANGED,
        ENTRIES_REQUESTED,
        ENTRIES_RECORDED,
        CHECKPOINTS_PUBLISHED,
        PERMISSIONS_REQUESTED,
        INVITATIONS_MAIL_REQUESTED,
        RESOURCES_CHANGED,
        MESSAGES_REFUSED,
    )
}

#: How long the inbox remembers a handled message: longer than any topic can deliver it again.
INBOX_RETENTION_DAYS: Final = 97
