"""Looks: that an object at Stripe shall be looked at, since no event led there, or none in time."""

from typing import Literal

from contracts.message import Body, StripeId


class LookRequested(Body):
    """Look at `object` on the connected account `account`, as if an event had named it.

    What is found is handled as after an event: a look heals what a lost event left open, and
    changes nothing that is known already.
    """

    account: StripeId
    object: StripeId
    reason: Literal["undelivered_event", "stuck", "unknown_outcome", "unbooked_movement"]


class PaymentLookRequested(LookRequested):
    """For payments: a payment intent, charge, refund or dispute."""


class PayoutLookRequested(LookRequested):
    """For payouts: a payout, or a balance transaction of no payment."""
