"""What is asked of a gift that is not paid: another attempt, or that nobody shall ever pay it."""

from collections.abc import Sequence
from typing import Any, Final

from contracts.message import Envelope
from contracts.payments import PaymentAttemptRequested, PaymentCancelRequested
from topics.failpoints import reach
from workers.gateways.stripe_objects import AccessRevoked, Declined, Intent, Missing
from workers.gateways.stripe_payments import cancel_intent, confirm_intent
from workers.payments import decisions, store_turns
from workers.payments.decisions import Progress
from workers.payments.resources import Payments
from workers.payments.store_turns import Gift
from workers.payments.telling import Step, move_on
from workers.runtime.worker import Transaction, Transient

_PAID: Final = ("succeeded", "processing")
_MISSING: Final = "the gift that this is about is not here yet"


async def try_again(message: Envelope[PaymentAttemptRequested], payments: Payments) -> Step | None:
    """Try to collect the gift anew; None when it is paid, on its way, or closed."""
    asked, organization = message.body, message.organization
    on_client = asked.payment_method is None
    gift = await store_turns.begin_turn(
        *(payments.pool, organization, asked.donation, message.id),
        on_client=on_client,
        now=payments.expiry.now(),
    )
    if gift is None:
        raise Transient(_MISSING)
    if gift.state != "calling":
        return None
    if gift.turn != message.id:
        raise Transient("another attempt is under way, and its outcome decides")
    answer = await _collect(message, gift, payments)
    await payments.cards.note(answer)
    reach("payments.answered")
    seal = payments.sealer(asked.donation)
    progress = decisions.progress(answer, seal, on_client=on_client)
    return Step(message, gift.request, progress, message.id)


async def _collect(
    message: Envelope[PaymentAttemptRequested], gift: Gift, payments: Payments
) -> Intent | Declined | AccessRevoked:
    """Confirm the gift's intent with the new method, or make one where there is none.

    What an earlier delivery asked is asked again, by its key, also of an account that may not
    charge any more: Stripe answers with what came of it.
    """
    method = message.body.payment_method
    if gift.account is None or not (gift.usable or gift.begun_before):
        return Declined("account_unavailable", payment_intent=gift.payment_intent)
    if not gift.begun_before and await payments.cards.refuses(
        payments.stripe, gift.account, method
    ):
        return Declined("too_many_attempts", payment_intent=gift.payment_intent)
    if gift.payment_intent is None:
        return await payments.charge(
            *(gift.account, gift.attempt, message, gift.request, method),
            begun_before=gift.begun_before,
        )
    answer: Intent | Declined | Missing | AccessRevoked
    answer = await payments.stripe.fetch_intent(gift.account, gift.payment_intent)
    if method is not None and isinstance(answer, Intent) and answer.status not in _PAID:
        answer = await confirm_intent(
            *(payments.stripe, gift.account, gift.payment_intent),
            donation=gift.request.donation,
            payment_method=method,
            attempt=gift.attempt,
            return_url=payments.return_url if answer.allows_redirects else None,
        )
    return Declined("account_unavailable") if isinstance(answer, Missing) else answer


async def cancel(message: Envelope[PaymentCancelRequested], payments: Payments) -> Step | None:
    """Close a gift that is not paid; None when Stripe says that it is, or is about to be."""
    asked = message.body
    gift = await store_turns.find_gift(payments.pool, message.organization, asked.donation)
    if gift is None:
        raise Transient(_MISSING)
    if gift.state == "calling":
        raise Transient("an attempt is under way, and its outcome decides")
    is_over = gift.state in ("closed", "captured")
    if is_over or (gift.state == "processing" and asked.reason == "expired"):
        return None
    closed = Progress("closed", gift.payment_intent, closed_as=asked.reason)
    step = Step(message, gift.request, closed, gift.turn)
    if gift.payment_intent is None or gift.account is None:
        return step
    answer = await cancel_intent(
        *(payments.stripe, gift.account, gift.payment_intent),
        command=message.id,
        reason="abandoned" if asked.reason == "expired" else "requested_by_customer",
    )
    if isinstance(answer, Intent):
        if answer.status == "canceled":
            return step
        if answer.status in ("succeeded", "processing"):
            return None
        raise Transient(f"Stripe did not cancel an intent in {answer.status}")
    return step  # Nobody can pay where we cannot look: the account or the intent is gone.


async def record(
    steps: Sequence[tuple[Envelope[Any], Step | None]], transaction: Transaction
) -> None:
    """Move the attempts on and tell what is new."""
    await move_on([step for _, step in steps if step is not None], transaction)
