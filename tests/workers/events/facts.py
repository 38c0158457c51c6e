"""One fact of each kind, as the events worker reads them."""

from typing import Any

from contracts.disputes import DisputeChanged
from contracts.donations import SealedDonor
from contracts.entries import EntryRecorded
from contracts.events import ResourceChanged
from contracts.identifiers import random_id
from contracts.message import Envelope
from contracts.messages import MessageRefused
from contracts.payments import (
    PaymentActionRequired,
    PaymentCaptured,
    PaymentClosed,
    PaymentFailed,
    PaymentProcessing,
)
from contracts.refunds import RefundChanged
from tests.workers.bench import START, event, gift, message, new
from topics import registry

#: What the worker makes of these facts, and of nobody's announcement.
OF_FACTS = (
    *("donation.created",) * 3,
    *("donation.requires_action", "donation.processing", "donation.failed", "donation.completed"),
    *("donation.canceled", "donation.expired", "donation.refunded", "donation.disputed"),
    *("entry.recorded",) * 3,
    *("entry.refused", "payout.created", "payout.paid", "payout.failed"),
    *("refund.created", "refund.updated", "refund.updated"),
    *("dispute.created", "dispute.updated", "dispute.closed", "account.updated"),
)


def facts(organization: str, fund: str) -> list[Envelope[Any]]:
    """One of each kind, about three gifts of an organization."""
    donor = SealedDonor(profile=new("prof"), seal="ab" * 32, opening="b3BlbmluZw==")
    first = gift(organization, fund, donor=donor)
    second, third = gift(organization, fund), gift(organization, fund)
    donation = first.body.donation
    said: list[tuple[Any, Any]] = [
        (
            registry.PAYMENTS_ACTION_REQUIRED,
            PaymentActionRequired(donation=donation, payment_intent="pi_1"),
        ),
        (
            registry.PAYMENTS_PROCESSING,
            PaymentProcessing(donation=donation, payment_intent="pi_1"),
        ),
        (
            registry.PAYMENTS_FAILED,
            PaymentFailed(
                donation=donation, amount_minor=2500, code="card_declined", decline_code="lost_card"
            ),
        ),
        (registry.PAYMENTS_CLOSED, PaymentClosed(donation=second.body.donation, reason="expired")),
        (registry.PAYMENTS_CLOSED, PaymentClosed(donation=third.body.donation, reason="canceled")),
        (registry.PAYMENTS_CAPTURED, captured(first.body)),
        (registry.ENTRIES_RECORDED, entry("donation", donation)),
        (registry.ENTRIES_RECORDED, entry("payout", "po_1")),
        (registry.ENTRIES_RECORDED, entry("payout_failed", "po_1")),
        (
            registry.RESOURCES_CHANGED,
            ResourceChanged(event="campaign.created", subject="camp_1", object={"id": "camp_1"}),
        ),
        *[(registry.REFUNDS_CHANGED, refund(donation, version)) for version in (1, 2, 3)],
        *[(registry.DISPUTES_CHANGED, dispute(donation, version)) for version in (1, 2)],
        (
            registry.MESSAGES_REFUSED,
            MessageRefused(
                worker="bookkeeping",
                topic="entries.requested.v1",
                message=random_id(START),
                code="foreign_fund",
                reason="it is another organization's",
            ),
        ),
    ]
    told = [message(topic, organization, body) for topic, body in said]
    stripe = event(organization, "acct_1", "account.updated", "acct_1")
    other = event(organization, "acct_1", "charge.succeeded", "ch_1")
    payout = event(organization, "acct_1", "payout.created", "po_2")
    return [first, second, third, *told, stripe, other, payout]


def captured(body: Any) -> PaymentCaptured:
    return PaymentCaptured(
        donation=body,
        account="acct_1",
        payment_intent="pi_1",
        charge="ch_1",
        balance_transaction="txn_1",
        gross_minor=2500,
        fee_minor=63,
        platform_fee_minor=0,
        net_minor=2437,
        settlement_currency="EUR",
        captured_at=START,
    )


def entry(kind: Any, subject: str) -> EntryRecorded:
    return EntryRecorded(
        entry_id=new("ent"),
        log=0,
        index=7,
        seq=3,
        kind=kind,
        leaf_hash="ab" * 32,
        entry="{}",
        subject=subject,
    )


REFUND, DISPUTE = new("rfd"), new("dsp")


def refund(donation: str, version: int) -> RefundChanged:
    return RefundChanged(
        refund=REFUND,
        donation=donation,
        version=version,
        status="pending" if version == 1 else "succeeded",
        amount_minor=500,
        currency="EUR",
        reason=None,
        code=None,
        stripe_refund="re_1",
        entry=None,
        failure_entry=None,
        created_at=START,
    )


def dispute(donation: str, version: int) -> DisputeChanged:
    return DisputeChanged(
        dispute=DISPUTE,
        donation=donation,
        version=version,
        status="needs_response" if version == 1 else "lost",
        reason="fraudulent",
        amount_minor=2500,
        withdrawn_minor=2500,
        currency="EUR",
        blocks_refunds=True,
        is_return=False,
        evidence_due_at=None,
        stripe_dispute="dp_1",
        entries=(),
        created_at=START,
    )
