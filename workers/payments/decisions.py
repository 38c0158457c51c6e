"""What Stripe's answers and events mean for a gift. Pure: no await, no clock, no database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from contracts.donations import DonationRequested
from contracts.identifiers import parse_type_id
from contracts.message import Envelope
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

#: In the order in which an attempt may move.
State = Literal["calling", "requires_action", "processing", "failed", "closed", "captured"]
ClosedAs = Literal["canceled", "expired"]
Reason = Literal["foreign", "account_mismatch", "access_revoked", "not_found"]

#: Stripe may forget an idempotency key after 24 h (API reference, "Idempotent requests").
KEY_LIFETIME: Final = timedelta(hours=23)
#: Stripe's search shows an object within a minute (Stripe, "Search API"); ours waits longer.
SEARCH_DELAY: Final = timedelta(minutes=3)

#: The events that payments acts on; the rest of the topic is other workers'.
HANDLING: Final[dict[str, Literal["payment", "refund", "refunds", "dispute"]]] = {
    "payment_intent.succeeded": "payment",
    "payment_intent.processing": "payment",
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
    "canceled": "closed",
}
#: While the donor may still pay on the client, these are no failure.
_OPEN_ON_CLIENT: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to collect a gift, as we stored it. `on_client`: the donor confirms it there."""

    state: State
    account: str | None
    payment_intent: str | None
    request: DonationRequested
    on_client: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The gift was promised to another organization."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far Stripe's answer brought an attempt; `failure` exactly with `failed`.

    `client_secret` is encrypted, given exactly with `requires_action`; `closed_as` counts with
    `closed`.
    """

    state: State
    payment_intent: str | None = None
    client_secret: bytes | None = None
    failure: Declined | None = None
    closed_as: ClosedAs = "canceled"


@dataclass(frozen=True, slots=True)
class Captured:
    """The money is there: the charge and what it did to the balance of which fund."""

    request: DonationRequested
    payment_intent: str
    charge: Charge
    balance_transaction: BalanceTransaction
    fund: str

    @property
    def fits(self) -> bool:
        """Whether the fund may hold the settlement currency: a fund's assets have one."""
        holds = self.request.fund_currency or self.request.currency
        return self.balance_transaction.currency == holds


@dataclass(frozen=True, slots=True)
class Underway:
    """Stripe took the payment; the money is not on the balance yet."""

    request: DonationRequested
    payment_intent: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The intent was canceled at Stripe: nobody can pay it any more."""

    request: DonationRequested
    payment_intent: str
    reason: ClosedAs


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended without money."""

    request: DonationRequested
    failure: Declined


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event moves nothing here, for a reason that is kept."""

    reason: Reason


Verdict = Captured | Underway | Failed | Closed | Ignored | None


def key_may_be_forgotten(asked: datetime, now: datetime) -> bool:
    """Whether an earlier call with this message's key may no longer be answered by it."""
    return now - asked >= KEY_LIFETIME


def search_is_current(since: datetime, now: datetime) -> bool:
    """Whether Stripe's search shows what calls before `since` did."""
    return now - since >= SEARCH_DELAY


def progress(
    answer: Intent | Declined | AccessRevoked, seal: Callable[[str], bytes], *, on_client: bool
) -> Progress:
    """What the answer to an attempt's call says about it; `seal` encrypts secrets."""
    if isinstance(answer, AccessRevoked):
        answer = Declined("account_unavailable")
    if isinstance(answer, Declined):
        return Progress("failed", answer.payment_intent, failure=answer)
    is_open = on_client and answer.status in _OPEN_ON_CLIENT
    state = "requires_action" if is_open else _STATES.get(answer.status)
    if state is None:
        raise Refused("unexpected_status", f"Stripe left the intent in {answer.status}")
    if state == "failed":
        return Progress(state, answer.id, failure=_failure_of(answer))
    if state == "requires_action" and answer.client_secret is not None:
        return Progress(state, answer.id, seal(answer.client_secret))
    return Progress(state, answer.id, closed_as=_closed_as(answer))


def observed(verdict: Underway | Failed | Closed) -> Progress:
    """What an event showed of an attempt, as progress."""
    if isinstance(verdict, Failed):
        return Progress("failed", verdict.failure.payment_intent, failure=verdict.failure)
    if isinstance(verdict, Underway):
        return Progress("processing", verdict.payment_intent)
    return Progress("closed", verdict.payment_intent, closed_as=verdict.reason)


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
    request, state = attempt.request, _STATES.get(intent.status)
    if attempt.state == "captured" or state is None or state == "requires_action":
        return None
    if intent.status == "succeeded" and intent.charge and intent.charge.balance_transaction:
        moved = intent.charge.balance_transaction
        _check(moved, request)
        return Captured(request, intent.id, intent.charge, moved, request.fund)
    if state == "processing":  # `charge.updated` comes once the balance transaction exists.
        return Underway(request, intent.id)
    if state == "closed":
        return Closed(request, intent.id, _closed_as(intent))
    if attempt.on_client and attempt.state in ("calling", "requires_action"):
        return None
    return Failed(request, _failure_of(intent))


def _figures(intent: Intent) -> tuple[int, str]:
    return intent.amount_minor, intent.currency


def _closed_as(intent: Intent) -> ClosedAs:
    # Our own reason for a gift that stays unpaid; an event may tell of it before our record does.
    return "expired" if intent.cancellation_reason == "abandoned" else "canceled"


def _failure_of(intent: Intent) -> Declined:
    return Declined("card_declined", intent.decline_code, intent.id)


def _check(transaction: BalanceTransaction, request: DonationRequested) -> None:
    fees = transaction.fee_minor + transaction.platform_fee_minor
    if transaction.amount_minor != fees + transaction.net_minor:
        raise Refused("balance_mismatch", "the balance transaction does not add up")
    if (
        transaction.currency == request.currency
        and transaction.amount_minor != request.charge_amount_minor
    ):
        raise Refused("balance_mismatch", "the balance transaction is not about the whole charge")
