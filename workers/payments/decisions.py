"""What Stripe's answers and events mean for a gift. Pure: no await, no clock, no database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from contracts.donations import DonationRequested
from contracts.identifiers import business_id, caused_id, parse_type_id, time_of, type_id
from contracts.message import Envelope
from contracts.payments import FailureCode, PaymentCaptured, PaymentFailed
from contracts.stripe_events import StripeEventReceived
from workers.gateways.stripe_objects import (
    AccessRevoked,
    BalanceTransaction,
    Charge,
    Declined,
    Intent,
    Missing,
)
from workers.runtime.worker import Refused, Transient

State = Literal["calling", "processing", "requires_action", "failed", "captured"]
Reason = Literal["foreign", "account_mismatch", "access_revoked", "not_found"]

#: Stripe may forget an idempotency key after 24 h (API reference, "Idempotent requests").
KEY_LIFETIME: Final = timedelta(hours=23)
#: Stripe's search shows an object within a minute (Stripe, "Search API"); ours waits longer.
SEARCH_DELAY: Final = timedelta(minutes=3)

#: The events that payments acts on; the rest of the topic is other workers'.
HANDLING: Final[dict[str, Literal["payment", "refund", "refunds", "dispute"]]] = {
    "payment_intent.succeeded": "payment",
    "payment_intent.payment_failed": "payment",
    "payment_intent.canceled": "payment",
    "charge.updated": "payment",
    "charge.refunded": "refunds",
    "charge.refund.updated": "refund",
    "refund.created": "refund",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.dispute.created": "dispute",
    "charge.dispute.updated": "dispute",
    "charge.dispute.closed": "dispute",
    "charge.dispute.funds_withdrawn": "dispute",
    "charge.dispute.funds_reinstated": "dispute",
}

#: What an intent's status says about the attempt (Stripe, "How PaymentIntents work").
_STATES: Final[dict[str, State]] = {
    "succeeded": "processing",
    "processing": "processing",
    "requires_action": "requires_action",
    "requires_payment_method": "failed",
    "canceled": "failed",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to collect a gift, as we stored it."""

    state: State
    account: str | None
    payment_intent: str | None
    request: DonationRequested


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The gift was promised to another organization."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far Stripe's answer brought an attempt; `failure` exactly with `failed`.

    `client_secret` is encrypted, given exactly with `requires_action`.
    """

    state: State
    payment_intent: str | None = None
    client_secret: bytes | None = None
    failure: Declined | None = None


@dataclass(frozen=True, slots=True)
class Captured:
    """The money is there: the charge and what it did to the balance."""

    request: DonationRequested
    payment_intent: str
    charge: Charge
    balance_transaction: BalanceTransaction


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended without money."""

    request: DonationRequested
    failure: Declined


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event moves nothing here, for a reason that is kept."""

    reason: Reason


Verdict = Captured | Failed | Ignored | None


def key_may_be_forgotten(asked: datetime, now: datetime) -> bool:
    """Whether an earlier call with this message's key may no longer be answered by it."""
    return now - asked >= KEY_LIFETIME


def search_is_current(since: datetime, now: datetime) -> bool:
    """Whether Stripe's search shows what calls before `since` did."""
    return now - since >= SEARCH_DELAY


def progress(answer: Intent | Declined | AccessRevoked, seal: Callable[[str], bytes]) -> Progress:
    """What the answer to "create and confirm" says about the attempt; `seal` encrypts secrets."""
    if isinstance(answer, AccessRevoked):
        answer = Declined("account_unavailable")
    if isinstance(answer, Declined):
        return Progress("failed", answer.payment_intent, failure=answer)
    state = _STATES.get(answer.status)
    if state is None:
        raise Refused("unexpected_status", f"Stripe left the intent in {answer.status}")
    if state == "failed":
        return Progress(state, answer.id, failure=_failure_of(answer))
    if state == "requires_action" and answer.client_secret is not None:
        return Progress(state, answer.id, seal(answer.client_secret))
    return Progress(state, answer.id)


def is_ours(intent: Intent | Missing | AccessRevoked) -> bool:
    """Whether an intent names a gift of ours; merchants use their account for other things too."""
    return isinstance(intent, Intent) and names_gift(intent.donation)


def names_gift(metadata: str | None) -> bool:
    """Whether an object's metadata names a gift of ours, by its form."""
    try:
        parse_type_id("don", metadata or "")
    except ValueError:
        return False
    return True


def judge(
    event: Envelope[StripeEventReceived],
    intent: Intent | Missing | AccessRevoked,
    attempt: Attempt | Elsewhere | None,
) -> Verdict:
    """What an event about a payment amounts to, by what Stripe shows of it now.

    `attempt` is the one for the gift that the intent names. Transient while it is missing;
    Refused when figures disagree or a gift was paid twice.
    """
    if isinstance(intent, Missing):
        return Ignored("not_found")
    if isinstance(intent, AccessRevoked):
        return Ignored("access_revoked")
    if not is_ours(intent):
        return Ignored("foreign")
    if isinstance(attempt, Elsewhere) or intent.organization != event.organization:
        return Ignored("account_mismatch")
    if attempt is None:
        raise Transient("the gift that this payment names is not here yet")
    if attempt.account != event.body.account:
        return Ignored("account_mismatch")
    if _figures(intent) != (attempt.request.charge_amount_minor, attempt.request.currency):
        raise Refused("amount_mismatch", "the payment's amount is not the one that was asked for")
    if attempt.state == "captured" and attempt.payment_intent != intent.id:
        raise Refused("second_payment", "the gift was paid already, by another payment intent")
    return _outcome(intent, attempt)


def _outcome(intent: Intent, attempt: Attempt) -> Verdict:
    if attempt.state == "captured":
        return None
    if intent.status == "succeeded":
        charge = intent.charge
        if charge is None or charge.balance_transaction is None:
            return None  # `charge.updated` comes once the balance transaction exists.
        _check(charge.balance_transaction, attempt.request)
        return Captured(attempt.request, intent.id, charge, charge.balance_transaction)
    if _STATES.get(intent.status) == "failed":
        return Failed(attempt.request, _failure_of(intent))
    return None


def _figures(intent: Intent) -> tuple[int, str]:
    return intent.amount_minor, intent.currency


def _failure_of(intent: Intent) -> Declined:
    code: FailureCode = "canceled" if intent.status == "canceled" else "card_declined"
    return Declined(code, intent.decline_code, intent.id)


def _check(transaction: BalanceTransaction, request: DonationRequested) -> None:
    fees = transaction.fee_minor + transaction.platform_fee_minor
    if transaction.amount_minor != fees + transaction.net_minor:
        raise Refused("balance_mismatch", "the balance transaction does not add up")
    if (
        transaction.currency == request.currency
        and transaction.amount_minor != request.charge_amount_minor
    ):
        raise Refused("balance_mismatch", "the balance transaction is not about the whole charge")


def captured_fact(account: str, captured: Captured) -> PaymentCaptured:
    """The fact to tell when the money is there."""
    transaction = captured.balance_transaction
    return PaymentCaptured(
        donation=captured.request,
        account=account,
        payment_intent=captured.payment_intent,
        charge=captured.charge.id,
        balance_transaction=transaction.id,
        gross_minor=transaction.amount_minor,
        fee_minor=transaction.fee_minor,
        platform_fee_minor=transaction.platform_fee_minor,
        net_minor=transaction.net_minor,
        settlement_currency=transaction.currency,
        captured_at=captured.charge.created,
    )


def captured_id(account: str, charge: Charge) -> UUID:
    """The id of that fact, whichever event showed it."""
    return business_id(charge.created, f"stripe:{account}:charge:{charge.id}:captured")


def donation_entry(account: str, charge: Charge) -> str:
    """The id of the gift's entry: what later entries about the charge refer to."""
    return type_id("ent", caused_id(captured_id(account, charge), "entries.requested.v1"))


def failed_fact(failed: Failed) -> PaymentFailed:
    """The fact to tell when an attempt ended without money."""
    return PaymentFailed(
        donation=failed.request.donation,
        amount_minor=failed.request.amount_minor,
        code=failed.failure.code,
        decline_code=failed.failure.decline_code,
    )


def failed_id(donation: str) -> UUID:
    """The id of that fact, whether the call's answer or an event showed it."""
    asked = time_of(parse_type_id("don", donation))
    return business_id(asked, f"amply:donation:{donation}:failed")
