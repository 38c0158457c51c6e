"""Moving attempts on, and saying so: what is news is told in the transaction that stores it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.donations import DonationRequested
from contracts.message import Envelope
from contracts.payments import PaymentActionRequired, PaymentClosed, PaymentProcessing
from topics import registry
from workers.payments import facts, store
from workers.payments.decisions import Captured, Failed, Progress
from workers.runtime.worker import Transaction


@dataclass(frozen=True, slots=True)
class Step:
    """How far `cause` brought the gift `request`.

    `turn` is the message that made the attempt (None: the gift's own); `observed` says that an
    event showed it, which may be about an earlier attempt.
    """

    cause: Envelope[Any]
    request: DonationRequested
    progress: Progress
    turn: UUID | None = None
    observed: bool = False

    @property
    def move(self) -> store.Move:
        """As the store takes it."""
        return store.Move(
            self.cause.organization,
            self.request.donation,
            self.progress.state,
            self.progress.payment_intent,
            self.turn,
            self.observed,
        )


async def move_on(steps: Sequence[Step], transaction: Transaction) -> None:
    """Move the attempts on; keep the secrets and tell the facts of those that moved."""
    moved = await store.advance(transaction.connection, [step.move for step in steps])
    news = []
    for step in steps:
        attempt = moved.pop((step.request.donation, step.progress.state), None)
        if attempt is not None:
            news.append((step, attempt))
    secrets = [
        (step.cause.organization, step.request.donation, step.progress.client_secret)
        for step, _ in news
        if step.progress.client_secret is not None
    ]
    await store.keep_secrets(transaction.connection, secrets)
    for step, attempt in news:
        _tell(step, attempt, transaction)


def _tell(step: Step, attempt: int, transaction: Transaction) -> None:
    progress, donation = step.progress, step.request.donation
    intent = progress.payment_intent
    if progress.failure is not None:
        failed = facts.failed_fact(Failed(step.request, progress.failure), attempt)
        failed_id = facts.failed_id(donation, attempt)
        transaction.send(registry.PAYMENTS_FAILED, failed, cause=step.cause, id=failed_id)
    elif progress.state == "closed":
        closed = PaymentClosed(donation=donation, reason=progress.closed_as)
        closed_id = facts.closed_id(donation)
        transaction.send(registry.PAYMENTS_CLOSED, closed, cause=step.cause, id=closed_id)
    elif intent is not None and progress.state == "requires_action":
        action = PaymentActionRequired(donation=donation, payment_intent=intent, attempt=attempt)
        transaction.send(registry.PAYMENTS_ACTION_REQUIRED, action, cause=step.cause)
    elif intent is not None:
        processing = PaymentProcessing(donation=donation, payment_intent=intent, attempt=attempt)
        transaction.send(registry.PAYMENTS_PROCESSING, processing, cause=step.cause)


def tell_captured(message: Envelope[Any], captured: Captured, transaction: Transaction) -> None:
    """Say that the money is there."""
    account, charged = message.body.account, captured.charge
    transaction.send(
        registry.PAYMENTS_CAPTURED,
        facts.captured_fact(account, captured),
        cause=message,
        id=facts.captured_id(account, charged),
        time=charged.created,
    )
