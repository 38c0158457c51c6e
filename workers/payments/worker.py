"""Collect promised gifts by direct charges, give them back when asked; tell what came of it."""

from collections.abc import Sequence

from contracts.donations import DonationRequested
from contracts.message import Envelope
from topics import registry
from topics.failpoints import reach
from workers.gateways.stripe_objects import Declined
from workers.payments import decisions, looks, refunds, turns
from workers.payments.decisions import Progress
from workers.payments.events import look, record_events
from workers.payments.resources import Payments, open_payments
from workers.payments.telling import Step, move_on
from workers.runtime.worker import Act, Transaction, Transient, Worker


async def charge(message: Envelope[DonationRequested], payments: Payments) -> Progress | None:
    """Create the payment and confirm it, or leave that to the donor; None when that was done.

    What an earlier delivery asked is asked again, by its key, also of an account that may not
    charge any more: Stripe answers with what came of it.
    """
    opened = await payments.open_attempt(message)
    if opened is None:
        raise Transient("another process is about to charge this gift")
    if opened.state != "calling" or opened.tried_again:
        return None
    gift, seal = message.body, payments.sealer(message.body.donation)
    on_client = gift.payment_method is None
    if opened.account is None or not (opened.usable or opened.begun_before):
        return decisions.progress(Declined("account_unavailable"), seal, on_client=on_client)
    # Only before the first call: after it the money may have been taken.
    if not opened.begun_before and await payments.cards.refuses(
        payments.stripe, opened.account, gift.payment_method
    ):
        return decisions.progress(Declined("too_many_attempts"), seal, on_client=on_client)
    answer = await payments.charge(
        *(opened.account, opened.attempt, message, gift, gift.payment_method),
        begun_before=opened.begun_before,
    )
    await payments.cards.note(answer)
    reach("payments.answered")
    return decisions.progress(answer, seal, on_client=on_client)


async def record_charges(
    answers: Sequence[tuple[Envelope[DonationRequested], Progress | None]],
    transaction: Transaction,
) -> None:
    """Move the attempts on and tell what is new."""
    steps = [
        Step(message, message.body, progress)
        for message, progress in answers
        if progress is not None
    ]
    await move_on(steps, transaction)


WORKER = Worker(
    name="payments",
    routes=[
        Act(registry.DONATIONS_REQUESTED, charge, record_charges),
        Act(registry.PAYMENTS_ATTEMPT_REQUESTED, turns.try_again, turns.record),
        Act(registry.PAYMENTS_CANCEL_REQUESTED, turns.cancel, turns.record),
        Act(registry.STRIPE_EVENTS, look, record_events),
        Act(registry.PAYMENTS_LOOK_REQUESTED, looks.look, looks.record),
        Act(registry.REFUNDS_REQUESTED, refunds.request, refunds.record),
    ],
    resources=open_payments,
)
